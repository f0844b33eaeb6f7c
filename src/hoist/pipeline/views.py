"""How an upload is shown, and how its bytes may be sent: the same over both transports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hoist.domain.metadata import FileExtended
from hoist.domain.model import FileRecord, Status
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock, ObjectStore, PartStore, StoredPart
from hoist.domain.volatile import Progress, ProgressBoard
from hoist.pipeline import events

STATES = {
    Status.PENDING: "ready",
    Status.MISSING: "stored",
    Status.DELETED: "cancelled",
    Status.PURGED: "cancelled",
}


@dataclass(frozen=True)
class Views:
    objects: ObjectStore
    parts: PartStore
    board: ProgressBoard
    policy: Callable[[], Policy]
    clock: Clock
    grace_seconds: int

    def way_to_send(self, record: FileRecord, *, is_new: bool = False) -> dict[str, Any]:
        """``upload``, a freshly signed PUT; or ``parts``, with those storage has already."""
        if record.multipart:
            return {"parts": parts_view(record, [] if is_new else self.parts.parts(record))}
        signed = self.objects.sign_put(record, expires_seconds=self.signed_seconds(record))
        return {"upload": events.signed_view(signed)}

    def upload(self, record: FileRecord, file: dict[str, Any]) -> dict[str, Any]:
        """An upload as the protocol shows it; *file* is its view."""
        view: dict[str, Any] = {
            "fileId": record.file_id,
            "messageId": record.message_id,
            "state": STATES.get(record.status, record.status.value),
            "file": file,
        }
        if record.status is Status.PENDING:
            view |= self.way_to_send(record)
        if record.status is Status.REJECTED:
            view["error"] = events.stored_refusal(record)
        if progress := self._progress(record, view.get("parts")):
            view["progress"] = progress_view(record, progress)
        return view

    def extended(self, record: FileRecord) -> tuple[FileRecord, FileExtended] | None:
        """*record* with a longer life and the event that says so, when signatures may outlive it.

        Only in the second half of its life, so that asking often costs nothing.
        """
        now, life_ms = self.clock(), (self.url_seconds(record) + self.grace_seconds) * 1000
        if record.status is not Status.PENDING or record.settle_after_ms - now > life_ms // 2:
            return None
        longer = replace(record, settle_after_ms=now + life_ms)
        event = FileExtended(
            user_id=record.user_id, file_id=record.file_id, settle_after=now + life_ms
        )
        return longer, event

    def url_seconds(self, record: FileRecord) -> int:
        return self.policy().tier(record.tier).url_expires_seconds

    def signed_seconds(self, record: FileRecord) -> int:
        """Signatures end with the upload's life, never after it."""
        left_ms = record.settle_after_ms - self.grace_seconds * 1000 - self.clock()
        return max(1, min(self.url_seconds(record), left_ms // 1000))

    def _progress(self, record: FileRecord, parts: dict[str, Any] | None) -> Progress | None:
        if record.status is Status.STORED:
            return Progress("recorded", record.file.size)
        if record.status is not Status.PENDING:
            return None
        told = self.board.get(record.file_id)
        if told and told.phase == "stored":
            return told
        if parts is not None:
            sent = sum(part["size"] for part in parts["stored"])
            return Progress("uploading" if sent else "ready", sent)
        return told or Progress("ready", 0)


def parts_view(record: FileRecord, stored: list[StoredPart]) -> dict[str, Any]:
    """How many parts, how large, and which of them storage has."""
    assert record.multipart
    return {
        "size": record.multipart.part_size,
        "count": record.part_count,
        "stored": [
            {"number": part.number, "size": part.size}
            | ({"checksumSha256": part.checksum_sha256} if part.checksum_sha256 else {})
            for part in stored
        ],
    }


def progress_view(record: FileRecord, progress: Progress) -> dict[str, Any]:
    total = record.file.size
    return {
        "phase": progress.phase,
        "bytesSent": min(progress.bytes_sent, total),
        "bytesTotal": total,
    }
