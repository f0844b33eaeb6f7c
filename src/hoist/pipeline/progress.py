"""Step 4, watched: how many bytes are there, told to every device of the user.

A single PUT goes past us, so the client's word is all there is; of parts, storage is asked.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from hoist.domain.model import FileRecord, Status
from hoist.domain.ports import Clock, PartStore
from hoist.domain.volatile import Event, EventStream, Leases, Progress, ProgressBoard
from hoist.pipeline import events
from hoist.pipeline.admission import LEASE_SECONDS
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.views import progress_view

EVERY_MS, PARTS_EVERY_MS = 200, 1000
LISTED_PART_MS = 25  # reading a list costs us 0.2 ms a part: at most 1 % of our time an upload
KNOWN_MAX, KNOWN_MS = 10_000, 60_000


@dataclass(slots=True)
class _Known:
    record: FileRecord
    since_ms: int
    told_ms: int = 0


class TrackProgress:
    """Called often: an upload is looked up once a minute, and told about a few times a second."""

    def __init__(
        self,
        find: FindUpload,
        parts: PartStore,
        board: ProgressBoard,
        leases: Leases,
        stream: EventStream,
        clock: Clock,
    ) -> None:
        self._find, self._parts, self._board = find, parts, board
        self._leases, self._stream, self._clock = leases, stream, clock
        self._known: dict[tuple[str, str], _Known] = {}
        self._lock = threading.Lock()

    def __call__(self, user_id: str, file_id: str, bytes_sent: int, trace_id: str) -> None:
        """The client says that *bytes_sent* of its upload are sent. Raises ``NotFound``."""
        known, now = self._lookup(user_id, file_id), self._clock()
        if known is None or known.record.status is not Status.PENDING:
            return
        record = known.record
        is_whole = bytes_sent >= record.file.size
        every_ms = EVERY_MS
        if record.multipart:
            every_ms = max(PARTS_EVERY_MS, LISTED_PART_MS * record.part_count)
        if now - known.told_ms < every_ms and not (is_whole and not record.multipart):
            return
        known.told_ms = now
        told = self._board.get(file_id)
        if told and told.phase == "stored":
            return  # a report that comes after storage's own word
        if record.multipart:
            bytes_sent = sum(part.size for part in self._parts.parts(record))
        progress = Progress("uploading", min(bytes_sent, record.file.size))
        self._board.put_many({file_id: progress})
        self._leases.renew(user_id, file_id, now + LEASE_SECONDS * 1000)
        self._stream.publish([progress_event(record, progress, now, trace_id)])

    def _lookup(self, user_id: str, file_id: str) -> _Known | None:
        now, key = self._clock(), (user_id, file_id)
        known = self._known.get(key)
        if known and now - known.since_ms < KNOWN_MS:
            return known
        found = self._find(user_id, file_id)
        if not isinstance(found, FileRecord):
            return None  # no URL was given yet
        with self._lock:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            known = self._known[key] = _Known(found, now, known.told_ms if known else 0)
        return known


def progress_event(record: FileRecord, progress: Progress, at_ms: int, trace_id: str) -> Event:
    """``upload.progress`` for every socket of the user; not kept: only the latest matters."""
    return events.event(
        "upload.progress",
        record.user_id,
        at_ms=at_ms,
        trace_id=trace_id,
        is_kept=False,
        messageId=record.message_id,
        fileId=record.file_id,
        name=record.file.name,
        progress=progress_view(record, progress),
    )
