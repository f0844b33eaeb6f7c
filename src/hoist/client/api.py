"""The client: every request of docs/protocol.md as a method. Threads may share one."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, Unpack
from urllib.parse import quote

from hoist.client.archives import Archives
from hoist.client.download_all import DownloadAll, Downloaded
from hoist.client.fetch import Fetch, Wanted
from hoist.client.files import Files
from hoist.client.filters import Filters
from hoist.client.problems import Retry
from hoist.client.progress import REPORT_SECONDS
from hoist.client.rest import Gateways, Rest
from hoist.client.sharing import Sharing
from hoist.client.socket import Event, Socket
from hoist.client.source import measure
from hoist.client.storage import Storage
from hoist.client.tokens import TokenSource
from hoist.client.uploads import Upload, Uploads
from hoist.client.views import File, Me, OnEvent, OnProgress, UploadView
from hoist.client.watch import Watch

STORED_SECONDS = 120.0
PARTS_AT_ONCE = 4
DOWNLOADS_AT_ONCE = 4
PART_CHECKSUMS_ABOVE_BYTES = 8 * 1024**2  # smaller files are never sent in parts


def _quiet(name: str, payload: Mapping[str, Any], at: float) -> None:
    pass


def _unseen(bytes_done: int) -> None:
    pass


class Client(Files, Sharing, Archives):
    """Talks to one gateway of *urls*, and to the next one when that fails.

    Every method raises ``HoistProblem``: ``Unreachable`` when no gateway answers, ``NotLoggedIn``
    when *tokens* has none. *on_event* hears each event of the socket, and between them the
    client's own steps: ``frame.sent`` or ``request.sent``, ``put.started``, ``put.done``, and of
    a large file ``parts.found`` (with ``stored`` and ``count``) and each ``part.done``.

    *patience_seconds* bounds what one call waits in all for a service that says "later" (429,
    503); it replaces the one in *retry*. *parallel* parts of a large file are sent at once.
    The service is told how far an upload is every *report_seconds*.
    """

    def __init__(
        self,
        urls: Sequence[str],
        tokens: TokenSource,
        *,
        on_event: OnEvent = _quiet,
        retry: Retry | None = None,
        stored_seconds: float = STORED_SECONDS,
        patience_seconds: float | None = None,
        parallel: int = PARTS_AT_ONCE,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        self._gateways = Gateways(urls)
        self._tokens = tokens
        self._on_event = on_event
        self._retry = retry or Retry()
        if patience_seconds is not None:
            self._retry = replace(self._retry, patience_seconds=patience_seconds)
        self._stopped = threading.Event()
        self._rest = Rest(self._gateways, tokens, self._retry)
        self._socket = Socket(self._gateways, tokens, on_event)
        self._storage = Storage()
        self._fetch = Fetch(self._storage, self._retry, self._stopped.is_set)
        self._uploads = Uploads(
            self._rest,
            self._socket,
            self._storage,
            self._retry,
            on_event,
            stored_seconds,
            parallel,
            self._stopped.is_set,
            report_seconds,
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

    def stop(self) -> None:
        """From another thread: transfers under way soon raise ``Stopped``, and can be resumed."""
        self._stopped.set()
        self._socket.close()

    def upload(
        self,
        content: str | os.PathLike[str] | BinaryIO,
        *,
        name: str | None = None,
        visibility: Literal["private", "public"] = "private",
        content_type: str | None = None,
        message_id: str | None = None,
        folder: str = "",
        on_progress: OnProgress = _unseen,
        over: Literal["socket", "rest"] = "socket",
    ) -> Upload:
        """Upload a path or a seekable file object; returns once storage has confirmed it.

        What fails on the way is tried again under the same *message_id*, which never makes a
        second file. Pass your own to go on after a crash: what storage has is not sent again.
        *folder* is a relative path to show the file under, such as ``photos/2026``.
        """
        source = measure(content, name, content_type)
        file: dict[str, Any] = {
            "name": source.name,
            "size": source.size,
            "contentType": source.content_type,
            "visibility": visibility,
            "checksumSha256": source.checksum_sha256,
        }
        if folder:
            file["folder"] = folder
        if source.size > PART_CHECKSUMS_ABOVE_BYTES:
            file["partChecksums"] = True
        message = {"messageId": message_id or uuid.uuid4().hex, "file": file}
        return self._uploads.run(message, source, on_progress, over)

    def status(self, file_id: str) -> UploadView:
        """The upload, with a fresh URL while it is ``ready``."""
        view: UploadView = self._rest.call("GET", f"/uploads/{quote(file_id, safe='')}").json()
        return view

    def cancel(self, file_id: str) -> None:
        """Give an upload up, in any state; a stored file is deleted. Its messageId is spent."""
        self._rest.call("DELETE", f"/uploads/{quote(file_id, safe='')}")

    def watch(self, quiet_seconds: float | None = None) -> Iterator[Event]:
        """What happens to your uploads from now on, wherever they come from, without an end.

        A lost connection is replaced, and what is kept of the events meanwhile is caught up on:
        each numbered event comes once. Between them are ``watch.connected`` after each connect
        and, when *quiet_seconds* are given, ``watch.quiet`` whenever nothing came for so long.
        """
        return Watch(self._gateways, self._tokens, self._on_event, self._retry).run(quiet_seconds)

    def me(self) -> Me:
        """Who the token speaks for, and what the tier allows."""
        me: Me = self._rest.call("GET", "/me").json()
        return me

    def download(
        self,
        file_id: str,
        path: str | os.PathLike[str],
        *,
        on_progress: OnProgress = _unseen,
    ) -> File:
        """Write the content to *path*, which appears (or is replaced) only when all is there.

        What is interrupted stays in a hidden file beside *path*; the same call goes on from
        there. Size and, where it is known, SHA-256 are compared: ``content_differs``.
        """
        file = self.get(file_id)
        self._fetch_file(file, Path(path), on_progress)
        return file

    def download_all(
        self,
        into: str | os.PathLike[str],
        *,
        at_once: int = DOWNLOADS_AT_ONCE,
        progress_of: Callable[[File], OnProgress] = lambda file: _unseen,
        **filters: Unpack[Filters],
    ) -> list[Downloaded]:
        """Bring every stored file that *filters* mean into a folder, in their own folders.

        Names are made safe and distinct, and nothing that the folder has already is replaced.
        What an earlier call brought is not fetched again: a hidden index in *into* tells.
        ``folder_in_use`` when another process is at it.
        """
        wanted: Filters = {**filters, "status": "stored"}
        many = DownloadAll(self._fetch_file, self.stop, progress_of)
        return many.run(self.iterate(**wanted), Path(into), at_once)

    def download_archive(
        self,
        archive_id: str,
        path: str | os.PathLike[str],
        *,
        on_progress: OnProgress = _unseen,
    ) -> None:
        """Write a ready archive to *path*, as ``download`` does with a file.

        But an interrupted one leaves nothing behind, and the next one begins anew.
        """
        target = Path(path)

        def url() -> str:
            return self.archive_ready(archive_id)["downloadUrl"]

        self._fetch.run(Wanted(archive_id, target.name), target, url, on_progress)

    def _fetch_file(self, file: File, path: Path, on_progress: OnProgress) -> None:
        file_id = file["fileId"]
        self._fetch.run(Wanted.of(file), path, lambda: self.content_url(file_id), on_progress)
