"""The client: every request of docs/protocol.md as a method. Threads may share one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

from hoist.client.problems import HoistProblem, Retry
from hoist.client.rest import Gateways, Rest
from hoist.client.socket import Socket
from hoist.client.source import measure
from hoist.client.storage import Storage
from hoist.client.tokens import TokenSource
from hoist.client.uploads import Upload, Uploads
from hoist.client.views import File, FilePage, Me, OnEvent, OnProgress, UploadView

STORED_SECONDS = 120.0


def _quiet(name: str, payload: Mapping[str, Any], at: float) -> None:
    pass


def _unseen(bytes_done: int) -> None:
    pass


class Client:
    """Talks to one gateway of *urls*, and to the next one when that fails.

    Every method raises ``HoistProblem``: ``Unreachable`` when no gateway answers, ``NotLoggedIn``
    when *tokens* has none. *on_event* hears each event of the socket, and between them the
    client's own steps: ``frame.sent`` or ``request.sent``, ``put.started``, ``put.done``.
    """

    def __init__(
        self,
        urls: Sequence[str],
        tokens: TokenSource,
        *,
        on_event: OnEvent = _quiet,
        retry: Retry | None = None,
        stored_seconds: float = STORED_SECONDS,
    ) -> None:
        gateways = Gateways(urls)
        self._retry = retry or Retry()
        self._rest = Rest(gateways, tokens, self._retry)
        self._socket = Socket(gateways, tokens, on_event)
        self._storage = Storage()
        self._uploads = Uploads(
            self._rest, self._socket, self._storage, self._retry, on_event, stored_seconds
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; a second call changes nothing."""
        self._socket.close()
        self._rest.close()
        self._storage.close()

    def upload(
        self,
        content: str | os.PathLike[str] | BinaryIO,
        *,
        name: str | None = None,
        visibility: Literal["private", "public"] = "private",
        content_type: str | None = None,
        message_id: str | None = None,
        on_progress: OnProgress = _unseen,
        over: Literal["socket", "rest"] = "socket",
    ) -> Upload:
        """Upload a path or a seekable file object; returns once storage has confirmed it.

        What fails on the way is tried again under the same *message_id*, which never makes a
        second file. Pass your own to go on after a crash.
        """
        source = measure(content, name, content_type)
        message = {
            "messageId": message_id or uuid.uuid4().hex,
            "file": {
                "name": source.name,
                "size": source.size,
                "contentType": source.content_type,
                "visibility": visibility,
                "checksumSha256": source.checksum_sha256,
            },
        }
        return self._uploads.run(message, source, on_progress, over)

    def status(self, file_id: str) -> UploadView:
        """The upload, with a fresh URL while it is ``ready``."""
        view: UploadView = self._rest.call("GET", f"/uploads/{quote(file_id, safe='')}").json()
        return view

    def get(self, file_id: str) -> File:
        """The file; problem ``not_found`` for another user's too."""
        file: File = self._rest.call("GET", f"/files/{quote(file_id, safe='')}").json()
        return file

    def me(self) -> Me:
        """Who the token speaks for, and what the tier allows."""
        me: Me = self._rest.call("GET", "/me").json()
        return me

    def iterate(self, page_size: int = 200) -> Iterator[File]:
        """Every file, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = self.list(limit=page_size, cursor=cursor)
            yield from page["files"]
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def download(
        self,
        file_id: str,
        path: str | os.PathLike[str],
        *,
        on_progress: OnProgress = _unseen,
    ) -> File:
        """Write the content to *path*, which appears (or is replaced) only when all is there.

        Size and, where it is known, SHA-256 are compared: ``content_differs``.
        """
        file = self.get(file_id)

        def once() -> None:
            answer = self._rest.call("GET", f"/files/{quote(file_id, safe='')}/content")
            if answer.status_code != 302:
                detail = f"no download address, but status {answer.status_code}"
                raise HoistProblem("http_error", answer.status_code, detail)
            self._storage.get(answer.headers["Location"], file, Path(path), on_progress)

        self._retry.run(once)
        return file

    # Last, because below it `list` is no longer the type.
    def list(self, limit: int = 50, cursor: str | None = None) -> FilePage:
        """One page of your files, newest first; *cursor* is the last page's ``nextCursor``."""
        query: dict[str, str | int] = {"limit": limit}
        if cursor:
            query["cursor"] = cursor
        page: FilePage = self._rest.call("GET", "/files", query=query).json()
        return page
