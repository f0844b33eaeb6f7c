"""Asking for files of others: each must be refused just as one that does not exist."""

from __future__ import annotations

import os
import random
import uuid
from typing import Any

from hoist.domain.model import file_id
from loadtest.books import BOOKS
from loadtest.line import Line
from loadtest.others import KnownFile
from loadtest.people import newcomer
from loadtest.persona import gateways
from loadtest.refused import Refused
from loadtest.uploads import Uploads, new_id

WAYS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/files/{}", None),
    ("GET", "/files/{}/content", None),
    ("GET", "/files/{}/timeline", None),
    ("PATCH", "/files/{}", {"visibility": "public"}),
    ("DELETE", "/files/{}", None),
    ("POST", "/files/{}/shares", {"expiresInSeconds": 60}),
    ("GET", "/uploads/{}", None),
    ("DELETE", "/uploads/{}", None),
    ("POST", "/uploads/{}/parts", {"parts": [{"number": 1}]}),
    ("POST", "/uploads/{}/complete", None),
)
FRAMES: tuple[dict[str, Any], ...] = (
    {"action": "status"},
    {"action": "cancel"},
    {"action": "sign", "parts": [{"number": 1}]},
    {"action": "progress", "bytesSent": 1},
)
FILE_BYTES = 1024


class Trespasser(Refused):
    """Knows ids of files that are not its own."""

    abstract = True

    def anothers_file(self) -> KnownFile:
        """One that somebody else of this process has; without one, somebody uploads it first.

        Raises ``Failed``.
        """
        own = self.person.user_id
        if known := BOOKS.files.of_another(own):
            return known
        owner = newcomer(os.environ["HOIST_ISSUER"], "basic")
        BOOKS.enter(owner)
        line = Line(gateways(), owner)
        uploads = Uploads(owner, line, self.client, BOOKS, self.fire)
        try:
            uploads.connect()
            uploads.upload(FILE_BYTES)
        finally:
            line.close()
        if known := BOOKS.files.of_another(own):
            return known
        raise self.uploads.failed("file of another", 0.0, "there is none to ask for")

    def trespass(self) -> None:
        """Ask for another's file in one of the ways of REST. Raises ``Failed``."""
        method, path, body = random.choice(WAYS)
        theirs = self.anothers_file().file_id
        nobodys = file_id(f"nobody-{uuid.uuid4()}", new_id())
        told = [self._refusal(method, path, one, body) for one in (theirs, nobodys)]
        is_same = told[0] == told[1]
        error = None if is_same else f"{method} {path}: {told[0]}, of one unknown {told[1]}"
        self.fire("refused as if unknown", 0.0, error=error, kind="CHECK")

    def trespass_by_frame(self) -> None:
        """Ask for it by its messageId, over the socket. Raises ``Failed``."""
        frame = random.choice(FRAMES) | {"messageId": self.anothers_file().message_id}
        self.frame_must_be_refused(frame, "not_found")

    def _refusal(self, method: str, path: str, one: str, body: Any) -> dict[str, Any]:
        how = {} if body is None else {"json": body}
        _, told, _ = self.insist(method, path.format(one), (404,), code="not_found", **how)
        return {name: told[name] for name in told if name != "traceId"}
