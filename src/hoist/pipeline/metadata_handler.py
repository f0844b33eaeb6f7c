"""Step 3: keep the record of every file.

hoist.metadata -> ApplyMetadata -> store, then cache invalidation, then the client's events
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hoist import telemetry
from hoist.domain import model
from hoist.domain.errors import MessageIdConflict, Unavailable
from hoist.domain.messages import FileRequested, FileStored, MetadataEvent
from hoist.domain.model import FileRecord, Status, StoredObject
from hoist.domain.ports import Clock, Event, EventStream, Key, ListCache, MetadataStore
from hoist.pipeline import events
from hoist.pipeline.delivery import Item

logger = logging.getLogger(__name__)
WRITE_ATTEMPTS = 5


@dataclass(frozen=True)
class ApplyMetadata:
    store: MetadataStore
    cache: ListCache
    events: EventStream
    clock: Clock

    def __call__(self, items: Sequence[Item[MetadataEvent]]) -> None:
        by_key: dict[Key, list[Item[MetadataEvent]]] = {}
        for item in items:
            by_key.setdefault((item.message.user_id, item.message.file_id), []).append(item)
        rows, changed = self._write(by_key)
        users = sorted({user_id for user_id, _ in changed})
        self.cache.invalidate(users)
        self._narrate(by_key, rows, changed)
        outcomes: list[Event] = []
        for key, of_key in by_key.items():
            outcomes += self._outcomes(of_key, rows[key], is_changed=key in changed)
        self.events.publish(outcomes)

    def _write(
        self, by_key: dict[Key, list[Item[MetadataEvent]]]
    ) -> tuple[dict[Key, FileRecord | None], set[Key]]:
        """Fold each key's events into its row until no write loses a race."""
        rows: dict[Key, FileRecord | None] = {}
        changed: set[Key] = set()
        open_keys = list(by_key)
        for _ in range(WRITE_ATTEMPTS):
            current = self.store.get_many(open_keys)
            writes: list[FileRecord] = []
            for key in open_keys:
                before = current.get(key)
                rows[key] = after = _folded(before, by_key[key])
                if after is not None and after != before:
                    version = before.version + 1 if before else 1
                    rows[key] = after = replace(after, version=version)
                    writes.append(after)
            done = self.store.write(writes) if writes else []
            won = {(row.user_id, row.file_id) for row, ok in zip(writes, done, strict=True) if ok}
            changed |= won
            open_keys = [
                (row.user_id, row.file_id)
                for row in writes
                if (row.user_id, row.file_id) not in won
            ]
            if not open_keys:
                return rows, changed
        raise Unavailable(f"{len(open_keys)} rows are written by someone else all the time")

    def _narrate(
        self,
        by_key: dict[Key, list[Item[MetadataEvent]]],
        rows: dict[Key, FileRecord | None],
        changed: set[Key],
    ) -> None:
        for key in by_key:
            row = rows[key]
            if key in changed and row:
                telemetry.bind(by_key[key][-1].trace_id)
                facts = {"fileId": row.file_id, "status": row.status.value, "version": row.version}
                logger.info("row written", extra=facts)
                logger.info("cache invalidated", extra={"userId": row.user_id})
        telemetry.bind(None)

    def _outcomes(
        self, items: Sequence[Item[MetadataEvent]], row: FileRecord | None, *, is_changed: bool
    ) -> list[Event]:
        """What the client hears. A redelivered verdict is told again: hearing twice is harmless."""
        if row is None:
            return []
        heard: list[Event] = []
        is_verdict = is_changed
        for item in items:
            message = item.message
            if not isinstance(message, FileRequested):
                is_verdict = True
            elif row.file.fingerprint() != message.file.facts().fingerprint():
                error = events.error_view(MessageIdConflict(message.message_id))
                heard.append(
                    self._event("upload.rejected", item, row, message.connection_id, error=error)
                )
        last = items[-1]
        if is_verdict and row.status is Status.STORED:
            heard.append(self._event("upload.stored", last, row, file=events.file_view(row)))
        elif is_verdict and row.status is Status.REJECTED:
            refusal = events.stored_refusal(row)
            heard.append(self._event("upload.rejected", last, row, error=refusal))
        elif is_verdict and row.status is Status.EXPIRED:
            heard.append(self._event("upload.expired", last, row, detail=row.reason))
        return heard

    def _event(
        self,
        name: str,
        item: Item[MetadataEvent],
        row: FileRecord,
        connection_id: str | None = None,
        **members: object,
    ) -> Event:
        return events.event(
            name,
            row.user_id,
            at_ms=self.clock(),
            trace_id=item.trace_id,
            connection_id=connection_id,
            messageId=row.message_id,
            fileId=row.file_id,
            **members,
        )


def _folded(row: FileRecord | None, items: Sequence[Item[MetadataEvent]]) -> FileRecord | None:
    for item in items:
        message = item.message
        if isinstance(message, FileRequested):
            row = model.requested(row, _pending(message, item.trace_id))
        elif isinstance(message, FileStored):
            found = StoredObject(
                message.size, message.etag, message.stored_at, message.checksum_sha256
            )
            row = model.stored(row, message.user_id, message.file_id, found)
        else:
            row = model.expired(row)
    return row


def _pending(message: FileRequested, trace_id: str) -> FileRecord:
    return FileRecord(
        user_id=message.user_id,
        file_id=message.file_id,
        message_id=message.message_id,
        file=message.file.facts(),
        status=Status.PENDING,
        created_at_ms=message.requested_at,
        settle_after_ms=message.settle_after,
        trace={"id": trace_id, "tier": message.tier},
    )
