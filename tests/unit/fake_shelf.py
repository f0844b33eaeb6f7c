"""Lists, changes, links, histories and archives of the little gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.unit.fake_refusal import Refused

Files = dict[str, dict[str, Any]]
Answer = tuple[int, dict[str, Any] | None]


@dataclass
class Shelf:
    """What was asked, as (method, path, query); what it holds; how slow it is."""

    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    shares: dict[str, dict[str, Any]] = field(default_factory=dict)
    empty_pages: int = 0  # how many come before the first full one
    accepts: int = 0  # how many changes are answered with 202
    looks: int = 0  # after how many looks such a change is in force
    archive: list[dict[str, Any]] = field(default_factory=list)  # each GET shows the next one
    later: list[Any] = field(default_factory=list)

    def answer(
        self, files: Files, method: str, target: str, body: dict[str, Any], match: str | None
    ) -> Answer:
        """Status and body. Raises ``Refused``."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.asked.append((method, parts.path, query))
        self.bodies.append(body)
        _, kind, *rest = parts.path.split("/")
        if kind == "shares":
            return self._links(method, rest, query)
        if kind == "archives":
            return self._archives(method)
        if not rest:
            return self._page(files, query)
        file = self._seen(files, rest[0])
        if rest[1:] == ["shares"]:
            return 201, self._share(file, body)
        if rest[1:] == ["timeline"]:
            return 200, {"fileId": rest[0], "steps": file.get("steps", [])}
        if rest[1:] == ["downloads"]:
            given = file.get("given", [])
            return 200, {"fileId": rest[0], "count": len(given), "downloads": given}
        if method == "GET":
            return 200, file
        _check(file, match)
        return self._change(files, file, method, rest[1:], body, query)

    def _page(self, files: Files, query: dict[str, str]) -> Answer:
        if self.empty_pages:
            self.empty_pages -= 1
            return 200, {"files": [], "nextCursor": query.get("cursor", "0")}
        wanted = query.get("status", "").split(",")
        listed = [
            file
            for file in files.values()
            if file["status"] in wanted or (wanted == [""] and file["status"] != "deleted")
        ]
        start = int(query.get("cursor", "0"))
        end = start + min(2, int(query["limit"]))
        more = str(end) if end < len(listed) else None
        return 200, {"files": listed[start:end], "nextCursor": more}

    def _seen(self, files: Files, file_id: str) -> dict[str, Any]:
        if self.later and not self.looks:
            self.later.pop()()
        self.looks = max(self.looks - 1, 0)
        if file_id not in files:
            raise Refused("not_found", 404, detail="no such file")
        return files[file_id]

    def _change(
        self,
        files: Files,
        file: dict[str, Any],
        method: str,
        verb: list[str],
        body: dict[str, Any],
        query: dict[str, str],
    ) -> Answer:
        def make() -> None:
            news = body if method == "PATCH" else {"status": "stored" if verb else "deleted"}
            file.update(news, revision=file.get("revision", 1) + 1)
            if query.get("permanently"):
                del files[file["fileId"]]
            elif method == "DELETE":
                file["deletedUntil"] = "2026-02-01T00:00:00.000Z"

        if self.accepts:
            self.accepts -= 1
            self.later.append(make)
            return 202, None
        make()
        return (204, None) if query.get("permanently") else (200, file)

    def _share(self, file: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        share_id = f"share-{len(self.shares)}"
        self.shares[share_id] = {
            "shareId": share_id,
            "fileId": file["fileId"],
            "url": f"http://hoist.example/s/{share_id}",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "hasPassword": "password" in body,
            "downloads": 0,
            "state": "open",
            **({"downloadsMax": body["downloadsMax"]} if "downloadsMax" in body else {}),
        }
        return self.shares[share_id]

    def _links(self, method: str, rest: list[str], query: dict[str, str]) -> Answer:
        if method == "DELETE":
            if rest[0] not in self.shares:
                raise Refused("not_found", 404, detail="no such link")
            self.shares[rest[0]]["state"] = "revoked"
            return 204, None
        of = query.get("fileId")
        found = [share for share in self.shares.values() if of in (None, share["fileId"])]
        return 200, {"shares": found}

    def _archives(self, method: str) -> Answer:
        building = {"archiveId": "archive-1", "state": "building"}
        if method == "POST":
            if not self.archive:
                raise Refused("nothing_to_archive", 409)
            return 202, building
        shown = self.archive.pop(0) if len(self.archive) > 1 else self.archive[0]
        return 200, {**building, **shown}


def _check(file: dict[str, Any], match: str | None) -> None:
    revision = file.get("revision", 1)
    if match not in (None, f'"{revision}"'):
        raise Refused("precondition_failed", 412, revision=revision)
