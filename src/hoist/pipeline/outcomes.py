"""What a client hears once its file's row is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hoist.domain.errors import MessageIdConflict, PreconditionFailed
from hoist.domain.metadata import FileExtended, FileRequested, MetadataEvent, OwnersChange
from hoist.domain.model import JANITORS, FileRecord, Status
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
        self, items: Sequence[Item[MetadataEvent]], row: FileRecord, *, is_changed: bool
    ) -> None:
        for item in items:
            message = item.message
            if isinstance(message, FileRequested) and (
                row.fingerprint != message.file.facts().fingerprint()
            ):
                error = events.error_view(MessageIdConflict(message.message_id))
                self._tell("upload.rejected", item, row, message.connection_id, error=error)
            if isinstance(message, OwnersChange):
                self._changed(item, message, row)
        about = [item for item in items if not isinstance(item.message, OwnersChange)]
        judging = [
            item for item in about if not isinstance(item.message, FileRequested | FileExtended)
        ]
        # Expiry is no last word, so an old one is not told again: the upload may have a new life.
        is_told = (is_changed and about) or (judging and row.status is not Status.EXPIRED)
        if is_told:
            self._verdict(about[-1], row)

    def _changed(self, item: Item[MetadataEvent], message: OwnersChange, row: FileRecord) -> None:
        if message.change_id in row.changes:
            self._tell(message.type, item, row, file=events.file_view(row))
        elif message.change_id.startswith(JANITORS):
            pass  # the file was taken out of the trash in time
        else:
            error = events.error_view(PreconditionFailed(row.revision))
            self._tell("file.change_refused", item, row, error=error)

    def _verdict(self, item: Item[MetadataEvent], row: FileRecord) -> None:
        if row.status in (Status.STORED, Status.DELETED):
            self._tell("upload.stored", item, row, file=events.file_view(row))
        elif row.status is Status.REJECTED:
            self._tell("upload.rejected", item, row, error=events.stored_refusal(row))
        elif row.status is Status.EXPIRED:
            self._tell("upload.expired", item, row, detail=row.reason)
        elif row.status in (Status.CANCELLED, Status.PURGED):
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
