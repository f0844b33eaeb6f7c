"""On a clock: settle what nobody finished. Two of them at once do no harm.

pending rows past their URLs -> HEAD -> hoist.metadata (file.stored or file.expired)
trash past its retention     ->      hoist.metadata (file.purged)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hoist import telemetry
from hoist.domain.account import GRACE_MS
from hoist.domain.errors import PartsMissing, Unavailable
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import FileExpired, FilePurged, FileStored
from hoist.domain.model import JANITORS, FileRecord, Status, StoredObject, file_id_of_key
from hoist.domain.policy import Policy
from hoist.domain.ports import (
    Clock,
    Found,
    Inventory,
    Message,
    MessageLog,
    MetadataStore,
    ObjectStore,
)
from hoist.pipeline import events
from hoist.pipeline.parts import SendParts
from hoist.pipeline.seldom import Seldom

logger = logging.getLogger(__name__)
BATCH = 100
ASK_AGAIN_MS = 60_000
# Nobody's parts: no row may only mean that its event still waits in the log.
UNKNOWN_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Janitor:
    store: MetadataStore
    objects: ObjectStore
    send_parts: SendParts
    inventory: Inventory
    log: MessageLog
    policy: Callable[[], Policy]
    clock: Clock
    grace_seconds: int
    topic_prefix: str = ""
    asked: dict[tuple[str, int], int] = field(
        default_factory=dict
    )  # verdicts that are on their way
    orphans: Seldom = field(default_factory=Seldom)

    def __call__(self) -> int:
        """Settle up to a hundred rows; returns how many were judged.

        A row is judged once a minute at most: its verdict may wait in the log. One that cannot be
        judged now stops none of the others.
        """
        now = self.clock()
        due = self.store.overdue(now, limit=BATCH)
        records = self.store.get_many(due.files).values() if due.files else ()
        overdue = [
            record for record in records if record.due_at_ms is not None and record.due_at_ms <= now
        ]
        for key, asked_ms in list(self.asked.items()):
            if now - asked_ms >= ASK_AGAIN_MS:
                del self.asked[key]
        fresh = [record for record in overdue if _life(record) not in self.asked]
        # Joining parts may take minutes: nobody waits for that.
        for record in sorted(fresh, key=lambda record: record.multipart is not None):
            if verdict := self._verdict_if_known(record):
                self.log.append([verdict])
                self.asked[_life(record)] = now
        for user_id in due.users:
            self._settle_account(user_id)
        return len(fresh) + len(due.users)

    def abort_orphans(self) -> int:
        """Abort the open uploads in parts that nobody waits for; returns how many.

        A row that knows other parts, or is settled, says so. Without a row they are left for a day.
        Looks every 15 s at most.
        """
        now = self.clock()
        if not self.orphans.is_due(now):
            return 0
        tiers = self.policy().tiers.values()
        life_seconds = max(tier.url_expires_seconds for tier in tiers) + self.grace_seconds
        before = now - life_seconds * 1000
        old = [found for found in self.inventory.open_uploads() if found.since_ms <= before]
        wanted = self._wanted_ids(old)
        orphans = []
        for found in old:
            name = file_id_of_key(found.key)
            if name in wanted:
                is_orphan = wanted[name] != found.upload_id
            else:
                is_orphan = found.since_ms <= now - UNKNOWN_MS
            orphans += [found] if is_orphan else []
        for found in orphans:
            self.inventory.remove(found)
            logger.info("open upload aborted", extra={"key": found.key})
        return len(orphans)

    def _wanted_ids(self, uploads: list[Found]) -> dict[str, str | None]:
        """Of each file that has a row: the upload that it waits for, if any."""
        ids = [name for found in uploads if (name := file_id_of_key(found.key))]
        owners = self.store.owners(ids)
        records = self.store.get_many([(user_id, name) for name, user_id in owners.items()])
        return {
            record.file_id: record.multipart.upload_id
            if record.multipart and record.status is Status.PENDING
            else None
            for record in records.values()
            if record.status is not Status.ARRIVED
        }

    def _verdict(self, record: FileRecord) -> Message:
        trace_id = record.trace.get("id") or telemetry.new_trace()
        telemetry.bind(trace_id)
        if record.status is Status.DELETED:
            logger.info("trash purged", extra={"fileId": record.file_id})
            purge = FilePurged(
                user_id=record.user_id,
                file_id=record.file_id,
                change_id=f"{JANITORS}{record.purge_after_ms}",
                revision=record.revision,
                at=self.clock(),
            )
            return events.message(self.topic_prefix + METADATA_TOPIC, purge, trace_id)
        found = self.objects.head(record.s3_key) or self._joined(record)
        event: FileStored | FileExpired
        if found:
            event = events.stored(record, found)
        else:
            event = FileExpired(
                user_id=record.user_id, file_id=record.file_id, at=record.settle_after_ms
            )
        logger.info("overdue upload settled", extra={"fileId": record.file_id, "as": event.type})
        return events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)

    def _verdict_if_known(self, record: FileRecord) -> Message | None:
        try:
            return self._verdict(record)
        except Unavailable as error:
            logger.warning("not settled", extra={"fileId": record.file_id, "reason": str(error)})
        except Exception:
            # One upload's bug must not keep everybody's room.
            logger.exception("not settled", extra={"fileId": record.file_id})
        return None

    def _joined(self, record: FileRecord) -> StoredObject | None:
        """The object, when all its parts were there and only ``complete`` was never said."""
        if not record.multipart:
            return None
        try:
            self.send_parts.join(record)
        except PartsMissing:
            return None
        return self.objects.head(record.s3_key)

    def _settle_account(self, user_id: str) -> None:
        """Old reservations: those of pending rows live on, the others ended with their row."""
        account = self.store.accounts([user_id])[user_id]
        before = self.clock() - GRACE_MS
        old = [name for name, held in account.reservations.items() if held.until_ms <= before]
        rows = self.store.get_many([(user_id, name) for name in old])
        settled = account
        for name in old:
            row = rows.get((user_id, name))
            if row and row.status is Status.PENDING:
                settled = settled.reserve(name, row.file.size, row.settle_after_ms)
            else:
                settled = settled.release(name)
                logger.warning("reservation without an upload released", extra={"fileId": name})
        if settled != account:
            # Lost to another writer: the next round looks again.
            self.store.write([(replace(settled, version=account.version + 1),)])


def _life(record: FileRecord) -> tuple[str, int]:
    """One life of an upload, or stay in the trash: the next has another end."""
    return record.file_id, record.due_at_ms or 0
