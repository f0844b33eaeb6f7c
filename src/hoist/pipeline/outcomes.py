"""What a client hears once its file's row is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hoist.domain.errors import MessageIdConflict
from hoist.domain.messages import FileExtended, FileRequested, MetadataEvent
from hoist.domain.model import FileRecord, Status
from hoist.domain.ports import Clock
from hoist.domain.volatile import Event
from hoist.pipeline import events
from hoist.pipeline.delivery import Item


class Outcomes:
    """Collects the events of a batch. A redelivered verdict is told again: that is harmless."""

    def __init__(self, clock: Clock) -> None:
        self.events: list[Event] = []
        self._clock = clock

    def add(
        self, items: Sequence[Item[MetadataEvent]], row: FileRecord | None, *, is_changed: bool
    ) -> None:
        if row is None:
            return
        for item in items:
            message = item.message
            if isinstance(message, FileRequested) and (
                row.file.fingerprint() != message.file.facts().fingerprint()
            ):
                error = events.error_view(MessageIdConflict(message.message_id))
                self._tell("upload.rejected", item, row, message.connection_id, error=error)
        judging = [
            item for item in items if not isinstance(item.message, FileRequested | FileExtended)
        ]
        # Expiry is no last word, so an old one is not told again: the upload may have a new life.
        is_told = is_changed or (judging and row.status is not Status.EXPIRED)
        if is_told:
            self._verdict(items[-1], row)

    def _verdict(self, item: Item[MetadataEvent], row: FileRecord) -> None:
        if row.status is Status.STORED:
            self._tell("upload.stored", item, row, file=events.file_view(row))
        elif row.status is Status.REJECTED:
            self._tell("upload.rejected", item, row, error=events.stored_refusal(row))
        elif row.status is Status.EXPIRED:
            self._tell("upload.expired", item, row, detail=row.reason)
        elif row.status in (Status.CANCELLED, Status.DELETED):
            self._tell("upload.cancelled", item, row, detail=row.reason)

    def _tell(
        self,
        name: str,
        item: Item[MetadataEvent],
        row: FileRecord,
        connection_id: str | None = None,
        **members: Any,
    ) -> None:
        self.events.append(
            events.event(
                name,
                row.user_id,
                at_ms=self._clock(),
                trace_id=item.trace_id,
                connection_id=connection_id,
                messageId=row.message_id,
                fileId=row.file_id,
                **members,
            )
        )
