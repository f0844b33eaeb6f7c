"""What the little gateway and its storage hold, what they heard, what they shall do wrong."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.unit.fake_refusal import Refused
from tests.unit.fake_shelf import Shelf
from tests.unit.fake_storage import Faults, etag_of

TOKEN = "good-token"
TRACE = "6a" * 16
OWNER = "auth0|ada"
MIB = 1024**2


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@dataclass
class Service:
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    signatures: list[tuple[str, int, str | None]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    reports: list[int] = field(default_factory=list)
    renewals: list[str] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    sockets: list[Any] = field(default_factory=list)
    part_size: int | None = None  # larger files go in parts of so many bytes
    put_statuses: list[int] = field(default_factory=list)  # answered instead of storing
    lost_parts: list[int] = field(default_factory=list)  # storage forgets them once, at the end
    refusals: list[dict[str, Any]] = field(default_factory=list)  # each once
    expires: int = 0  # how many uploads expire instead of being signed
    break_sockets: int = 0  # how many sockets close before they answer
    breaks_after_parts: int = 0  # all sockets close once, after so many parts
    before_part: Callable[[int], None] = lambda number: None
    refusal: dict[str, Any] | None = None
    is_silent_about_stored: bool = False
    is_silent_about_ready: bool = False
    storage: Faults = field(default_factory=Faults)
    shelf: Shelf = field(default_factory=Shelf)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def announce(self, message: dict[str, Any]) -> dict[str, Any]:
        refusal = self.refusal or (self.refusals.pop(0) if self.refusals else None)
        if refusal:
            raise Refused(**{"code": "refused", "status": 400, **refusal})
        file_id = f"id-{message['messageId']}"
        new = {
            **message["file"],
            "fileId": file_id,
            "messageId": message["messageId"],
            "status": "pending",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "traceId": TRACE,
        }
        with self.lock:
            file = self.files.setdefault(file_id, new)
            if file["status"] == "cancelled":
                raise Refused("upload_cancelled", 409)
            if file["status"] == "expired":
                file["status"] = "pending"
        return file

    def signed(self, file: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Length": str(file["size"]), "Content-Type": file["contentType"]}
        return {
            "method": "PUT",
            "url": f"{self.url}/storage/{file['fileId']}",
            "headers": {**headers, "If-None-Match": "*"},
            "expiresAt": "2026-01-01T00:15:00.000Z",
        }

    def how(self, file: dict[str, Any]) -> dict[str, Any]:
        """Where the bytes go: ``upload`` or ``parts``."""
        if not self.part_size or file["size"] <= self.part_size:
            return {"upload": self.signed(file)}
        stored = [
            {"number": number, "size": len(body), "checksumSha256": checksum(body)}
            for number, body in sorted(self.parts.get(file["fileId"], {}).items())
        ]
        count = -(-file["size"] // self.part_size)
        return {"parts": {"size": self.part_size, "count": count, "stored": stored}}

    def view(self, file: dict[str, Any]) -> dict[str, Any]:
        done = sum(map(len, self.parts.get(file["fileId"], {}).values()))
        progress = {"phase": "uploading", "bytesSent": done, "bytesTotal": file["size"]}
        view = {"fileId": file["fileId"], "messageId": file["messageId"], "file": file}
        if file["status"] != "pending":
            return {**view, "state": file["status"]}
        return {**view, "state": "ready", "progress": progress, **self.how(file)}

    def put(self, file_id: str, body: bytes) -> int:
        with self.lock:
            if self.put_statuses:
                return self.put_statuses.pop(0)
            if file_id in self.bodies:
                return 412
            if checksum(body) != self.files[file_id]["checksumSha256"]:
                return 400
            self._store(file_id, body)
        return 200

    def sign(self, file_id: str, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        file = self._pending(file_id)
        if self.expires:
            self.expires -= 1
            file["status"] = "expired"
            self.parts[file_id] = {}
            raise Refused("not_in_parts", 409, state="expired")
        if any(("checksumSha256" in part) != ("partChecksums" in file) for part in wanted):
            raise Refused("invalid_request", 400, field="parts.checksumSha256")
        return [self._signed_part(file, part) for part in wanted]

    def put_part(self, signature: int, body: bytes) -> int:
        file_id, number, announced = self.signatures[signature]
        self.before_part(number)
        with self.lock:
            if self.put_statuses:
                return self.put_statuses.pop(0)
            if self.files[file_id]["status"] != "pending":
                return 404
            if announced not in (None, checksum(body)):
                return 400
            self.parts.setdefault(file_id, {})[number] = body
            if self.breaks_after_parts and len(self.parts[file_id]) == self.breaks_after_parts:
                self.breaks_after_parts = 0
                self.close_sockets()
        return 200

    def complete(self, file_id: str) -> None:
        file = self._pending(file_id)
        with self.lock:
            parts = self.parts.setdefault(file_id, {})
            for number in self.lost_parts:
                parts.pop(number, None)
            self.lost_parts.clear()
            count = self.how(file)["parts"]["count"]
            missing = sorted(set(range(1, count + 1)) - set(parts))
            if missing:
                raise Refused(
                    "parts_missing", 409, missing=missing[:100], missingCount=len(missing)
                )
            self._store(file_id, b"".join(parts[number] for number in sorted(parts)))

    def keep(self, name: str, body: bytes, **members: Any) -> str:
        """A file that was stored before; returns its id."""
        sha = checksum(body)
        described = {"name": name, "size": len(body), "checksumSha256": sha, "revision": 1}
        message = {"messageId": f"kept-{len(self.files)}", "file": {**described, **members}}
        file = self.announce(message)
        file.update(members)
        self.bodies[file["fileId"]] = body
        file["status"] = members.get("status", "stored")
        file.setdefault("etag", etag_of(body))
        return file["fileId"]

    def report(self, file_id: str, bytes_sent: int) -> None:
        self.reports.append(bytes_sent)
        total = self.files[file_id]["size"]
        progress = {"phase": "uploading", "bytesSent": bytes_sent, "bytesTotal": total}
        self.tell("upload.progress", file_id, keeps=False, progress=progress)

    def cancel(self, file_id: str) -> None:
        self.files[file_id]["status"] = "cancelled"
        self.tell("upload.cancelled", file_id)

    def me(self) -> dict[str, Any]:
        limits = {"fileSizeMax": 100 * MIB, "urlExpiresSeconds": 900, "concurrentUploads": 100}
        limits |= {"requestsPerMinute": 1200, "storageQuota": 10 * 1024 * MIB}
        premium = limits | {"fileSizeMax": 5 * 1024 * MIB}
        pending = sum(file["status"] == "pending" for file in self.files.values())
        use = {"storedBytes": 3 * MIB, "reservedBytes": 0, "concurrentUploads": pending}
        me = {"userId": OWNER, "tier": "basic", "roles": ["basic"], "limits": limits, "use": use}
        return {**me, "premium": premium, "tokenExpiresAt": "2026-01-01T01:00Z"}

    def tell(self, event: str, file_id: str, *, keeps: bool = True, **members: Any) -> None:
        """Every socket hears it; kept events have a number."""
        told = {"event": event, "fileId": file_id, "messageId": self.files[file_id]["messageId"]}
        told |= members
        with self.lock:
            if keeps:
                told["n"] = 10 * len(self.kept) + 10
                self.kept.append(told)
            for connection in self.sockets:
                connection.say(told)

    def close_sockets(self) -> None:
        with self.lock:
            for connection in self.sockets:
                connection.close()
            self.sockets.clear()

    def _pending(self, file_id: str) -> dict[str, Any]:
        file = self.files[file_id]
        if file["status"] == "cancelled":
            raise Refused("upload_cancelled", 409)
        if file["status"] != "pending":
            raise Refused("not_in_parts", 409, state=file["status"])
        return file

    def _signed_part(self, file: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
        number = part["number"]
        with self.lock:
            self.signatures.append((file["fileId"], number, part.get("checksumSha256")))
            signature = len(self.signatures) - 1
        assert self.part_size
        length = min(self.part_size, file["size"] - (number - 1) * self.part_size)
        url = f"{self.url}/storage/{file['fileId']}/{number}/{signature}"
        headers = {"Content-Length": str(length)}
        return {"number": number, "method": "PUT", "url": url, "headers": headers}

    def _store(self, file_id: str, body: bytes) -> None:
        self.bodies[file_id] = body
        self.files[file_id] |= {"status": "stored", "etag": etag_of(body)}
        if not self.is_silent_about_stored:
            self.tell("upload.stored", file_id, file=self.files[file_id])
