"""Step 3: keep the record of every file, and its owner's books.

hoist.metadata -> ApplyMetadata -> store, then storage and cache are tidied, then the client hears
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hoist import telemetry
from hoist.domain import lifecycle
from hoist.domain.account import Account
from hoist.domain.errors import Unavailable
from hoist.domain.messages import (
    FileCancelled,
    FileExpired,
    FileExtended,
    FileMissing,
    FileRequested,
    FileStored,
    MetadataEvent,
)
from hoist.domain.model import FileRecord, Status, StoredObject
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock, Key, MetadataStore, ObjectStore, PartStore, Row
from hoist.domain.volatile import EventStream, Leases, ListCache
from hoist.pipeline.delivery import Item
from hoist.pipeline.outcomes import Outcomes

logger = logging.getLogger(__name__)
WRITE_ATTEMPTS = 8
FILES_MAX = 99  # of one user in one change: with the account, 100 rows
UNWANTED = (Status.CANCELLED, Status.DELETED, Status.REJECTED)

ByKey = dict[Key, list[Item[MetadataEvent]]]


@dataclass
class _Written:
    """What became of a batch: each file's row, and which of them are new."""

    rows: dict[Key, FileRecord | None] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)


@dataclass(frozen=True)
class ApplyMetadata:
    store: MetadataStore
    objects: ObjectStore
    parts: PartStore
    cache: ListCache
    leases: Leases
    events: EventStream
    policy: Callable[[], Policy]
    clock: Clock

    def __call__(self, items: Sequence[Item[MetadataEvent]]) -> None:
        by_key: ByKey = {}
        for item in items:
            by_key.setdefault((item.message.user_id, item.message.file_id), []).append(item)
        for part in _parts(by_key):
            self._apply(part)

    def _apply(self, by_key: ByKey) -> None:
        written = self._write(by_key)
        # Not only what changed: a delivery that died after its write must be finished by the next.
        self.cache.invalidate(sorted({user_id for user_id, _ in by_key}))
        self._free_leases(written)
        self._tidy(written)
        self._narrate(by_key, written)
        outcomes = Outcomes(self.clock)
        for key, of_key in by_key.items():
            outcomes.add(of_key, written.rows[key], is_changed=key in written.changed)
        self.events.publish(outcomes.events)

    def _write(self, by_key: ByKey) -> _Written:
        """Fold each key's events into its row and its user's account until no write loses."""
        written = _Written()
        open_keys = list(by_key)
        for _ in range(WRITE_ATTEMPTS):
            users = sorted({user_id for user_id, _ in open_keys})
            current, accounts = self.store.get_many(open_keys), self.store.accounts(users)
            changes: list[list[Row]] = []
            for user_id in users:
                rows = {key: current.get(key) for key in open_keys if key[0] == user_id}
                changes += self._changes(rows, accounts[user_id], by_key, written)
            done = self.store.write(changes) if changes else []
            lost: set[str] = set()
            for change, is_done in zip(changes, done, strict=True):
                if not is_done:
                    lost.add(change[0].user_id)
                    continue
                files = [row for row in change if isinstance(row, FileRecord)]
                written.changed |= {(row.user_id, row.file_id) for row in files}
            open_keys = [key for key in open_keys if key[0] in lost]
            if not open_keys:
                return written
        raise Unavailable(f"{len(open_keys)} rows are written by someone else all the time")

    def _changes(
        self,
        current: Mapping[Key, FileRecord | None],
        account: Account,
        by_key: ByKey,
        written: _Written,
    ) -> list[list[Row]]:
        """What one user's events change: rows and books together where the books change."""
        books = account
        files: list[Row] = []
        for key, before in current.items():
            after = self._folded(before, by_key[key], books)
            if after is not None and after != before:
                after = replace(after, version=before.version + 1 if before else 1)
                files.append(after)
            written.rows[key] = after
            books = books.settle(before, after) if after else books
        if books == account:
            return [[row] for row in files]
        return [[*files, replace(books, version=account.version + 1)]]

    def _folded(
        self, before: FileRecord | None, items: Sequence[Item[MetadataEvent]], account: Account
    ) -> FileRecord | None:
        row = before
        for item in items:
            row = _next(row, item)
        came_late = before and before.status in (Status.EXPIRED, Status.MISSING) and row
        if came_late and row and row.status is Status.STORED and row.stored:
            quota = self.policy().tier(row.tier).storage_quota
            others = account.release(row.file_id)  # its own new grant is this very room
            if others.in_use_bytes + row.stored.size > quota:
                return lifecycle.rejected(row, "it came after its URL expired, and does not fit")
        return row

    def _tidy(self, written: _Written) -> None:
        """Leave nothing in storage that no file wants, also when it arrives late.

        Of an expired upload only the parts go: its object may be arriving just now, and is a file.
        """
        for row in written.rows.values():
            if row is None:
                continue
            if row.multipart and row.status in (*UNWANTED, Status.EXPIRED):
                self.parts.abort(row)
            if row.status in UNWANTED:
                self.objects.discard(row)

    def _free_leases(self, written: _Written) -> None:
        ended: dict[str, list[str]] = {}
        for (user_id, file_id), row in written.rows.items():
            if row and row.status is not Status.PENDING:
                ended.setdefault(user_id, []).append(file_id)
        self.leases.free(ended)

    def _narrate(self, by_key: ByKey, written: _Written) -> None:
        for key in by_key:
            row = written.rows[key]
            if key in written.changed and row:
                telemetry.bind(by_key[key][-1].trace_id)
                facts = {"fileId": row.file_id, "status": row.status.value, "version": row.version}
                logger.info("row written", extra=facts)
                logger.info("cache invalidated", extra={"userId": row.user_id})
        telemetry.bind(None)


def _parts(by_key: ByKey) -> Iterator[ByKey]:
    """The batch in pieces that one transaction a user can take: nearly always just one."""
    piece: ByKey = {}
    for key in sorted(by_key):
        if sum(user_id == key[0] for user_id, _ in piece) == FILES_MAX:
            yield piece
            piece = {}
        piece[key] = by_key[key]
    yield piece


def _next(row: FileRecord | None, item: Item[MetadataEvent]) -> FileRecord | None:
    message = item.message
    if isinstance(message, FileRequested):
        return lifecycle.requested(row, _pending(message, item.trace_id))
    if isinstance(message, FileStored):
        found = StoredObject(message.size, message.etag, message.stored_at, message.checksum_sha256)
        return lifecycle.stored(row, message.user_id, message.file_id, found)
    if isinstance(message, FileExtended):
        return lifecycle.extended(row, message.settle_after)
    if isinstance(message, FileExpired):
        return lifecycle.expired(row, message.at)
    if isinstance(message, FileCancelled):
        return lifecycle.cancelled(
            row, message.user_id, message.file_id, message.message_id, message.at
        )
    assert isinstance(message, FileMissing)
    return lifecycle.missing(row)


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
        multipart=message.multipart(),
    )
