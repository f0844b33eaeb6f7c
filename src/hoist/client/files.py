"""Your files at the service: listed, looked up, changed, deleted and restored; their history."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Unpack
from urllib.parse import quote

from hoist.client.filters import Filters, query_of
from hoist.client.problems import HoistProblem, Retry
from hoist.client.rest import Rest
from hoist.client.views import Downloads, File, FilePage, Timeline

CONFIRM_PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0)  # seconds between looks at a change that takes long


def path_of(file_id: str, verb: str = "") -> str:
    return f"/files/{quote(file_id, safe='')}{verb}"


class Files:
    """The part of the client that reads and changes what is stored.

    A change with *if_revision* is made only while the file's ``revision`` is that one; else the
    problem is ``precondition_failed``, with the current one as member ``revision``. A change
    returns once it is in force; ``not_confirmed`` says that it was accepted, but not in force in
    time: it may be later.
    """

    _rest: Rest
    _retry: Retry

    def get(self, file_id: str) -> File:
        """The file; problem ``not_found`` for another user's too."""
        file: File = self._rest.call("GET", path_of(file_id)).json()
        return file

    def iterate(self, page_size: int = 200, **filters: Unpack[Filters]) -> Iterator[File]:
        """Every file that *filters* mean, newest first unless they say ``sort``, page by page."""
        cursor: str | None = None
        while True:
            page = self.list(page_size, cursor, **filters)
            yield from page["files"]  # may be none: only the cursor tells the end
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def change(
        self,
        file_id: str,
        *,
        name: str | None = None,
        folder: str | None = None,
        visibility: Literal["private", "public"] | None = None,
        if_revision: int | None = None,
    ) -> File:
        """The file with another name, folder (``""`` for none) or visibility."""
        wanted = {"name": name, "folder": folder, "visibility": visibility}
        news = {member: value for member, value in wanted.items() if value is not None}

        def is_done(file: File | None) -> bool:
            return file is not None and all(file.get(k, "") == v for k, v in news.items())

        return _there(self._make("PATCH", file_id, is_done, body=news, if_revision=if_revision))

    def delete(
        self, file_id: str, *, permanently: bool = False, if_revision: int | None = None
    ) -> File | None:
        """Put a file into the trash: the file as it is there.

        None when it is gone for good: *permanently*, or because it never had bytes.
        """

        def is_done(file: File | None) -> bool:
            return file is None or (not permanently and file["status"] == "deleted")

        query = {"permanently": "true"} if permanently else None
        return self._make("DELETE", file_id, is_done, query=query, if_revision=if_revision)

    def restore(self, file_id: str) -> File:
        """The file, back from the trash."""

        def is_done(file: File | None) -> bool:
            return file is not None and file["status"] == "stored"

        return _there(self._make("POST", file_id, is_done, verb="/restore"))

    def timeline(self, file_id: str) -> Timeline:
        """What happened to the file, where in the log, and who did it."""
        timeline: Timeline = self._rest.call("GET", path_of(file_id, "/timeline")).json()
        return timeline

    def downloads(self, file_id: str) -> Downloads:
        """How often a download URL was given, and the last 100."""
        downloads: Downloads = self._rest.call("GET", path_of(file_id, "/downloads")).json()
        return downloads

    def content_url(self, file_id: str) -> str:
        """A download URL, which lives for a moment; problem ``not_stored`` before there is one."""
        answer = self._rest.call("GET", path_of(file_id, "/content"))
        if answer.status_code != 302:
            detail = f"no download address, but status {answer.status_code}"
            raise HoistProblem("http_error", answer.status_code, detail)
        return str(answer.headers["Location"])

    def public_url(self, file_id: str) -> str:
        """Where anybody gets the file while it is public."""
        return self._rest.address(f"/public/{quote(file_id, safe='')}")

    def _make(
        self,
        method: str,
        file_id: str,
        is_done: Callable[[File | None], bool],
        *,
        verb: str = "",
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        if_revision: int | None = None,
    ) -> File | None:
        """The file once the change is in force; None when there is no file then."""
        # The same over every repeat: one whose answer was lost is answered, not made again.
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if if_revision is not None:
            headers["If-Match"] = f'"{if_revision}"'
        answer = self._rest.call(
            method, path_of(file_id, verb), body=body, query=query, headers=headers
        )
        if answer.status_code == 202:
            return self._confirmed(file_id, is_done)
        file: File | None = answer.json() if answer.content else None
        return file

    def _confirmed(self, file_id: str, is_done: Callable[[File | None], bool]) -> File | None:
        for pause in CONFIRM_PAUSES:
            self._retry.sleep(pause)
            file = self._found(file_id)
            if is_done(file):
                return file
        detail = f"the change of {file_id} was accepted, but is not in force yet"
        raise HoistProblem("not_confirmed", 504, detail, {"retriable": True})

    def _found(self, file_id: str) -> File | None:
        try:
            return self.get(file_id)
        except HoistProblem as problem:
            if problem.code != "not_found":
                raise
            return None

    # Last, because below it `list` is no longer the type.
    def list(
        self, limit: int = 50, cursor: str | None = None, **filters: Unpack[Filters]
    ) -> FilePage:
        """One page, newest first unless *filters* say ``sort``; it may be short, even empty.

        *cursor* is the last page's ``nextCursor``, asked for with the same filters.
        """
        query = {"limit": limit, **query_of(filters)}
        if cursor:
            query["cursor"] = cursor
        page: FilePage = self._rest.call("GET", "/files", query=query).json()
        return page


def _there(file: File | None) -> File:
    if file is None:
        raise HoistProblem("http_error", 502, "the service answered without the file")
    return file
