"""On a clock: settle what nobody finished.

pending rows past their URL -> HEAD -> hoist.metadata (file.stored or file.expired)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from hoist import telemetry
from hoist.domain.messages import METADATA_TOPIC, FileExpired, FileStored
from hoist.domain.model import FileRecord, Status
from hoist.domain.ports import Clock, Message, MessageLog, MetadataStore, ObjectStore
from hoist.pipeline import events

logger = logging.getLogger(__name__)
BATCH = 100


@dataclass(frozen=True)
class SettlePending:
    """Two of them at once do no harm: the rows' own versions decide."""

    store: MetadataStore
    objects: ObjectStore
    log: MessageLog
    clock: Clock
    topic_prefix: str = ""

    def __call__(self) -> int:
        """Settle up to a hundred rows; returns how many were asked about."""
        keys = self.store.pending_before(self.clock(), limit=BATCH)
        records = self.store.get_many(keys).values() if keys else ()
        overdue = [record for record in records if record.status is Status.PENDING]
        self.log.append([self._verdict(record) for record in overdue])
        return len(overdue)

    def _verdict(self, record: FileRecord) -> Message:
        trace_id = record.trace.get("id") or telemetry.new_trace()
        telemetry.bind(trace_id)
        found = self.objects.head(record.s3_key)
        event: FileStored | FileExpired
        if found:
            event = FileStored(
                user_id=record.user_id,
                file_id=record.file_id,
                size=found.size,
                etag=found.etag,
                stored_at=found.stored_at_ms,
                checksum_sha256=found.checksum_sha256,
            )
        else:
            event = FileExpired(user_id=record.user_id, file_id=record.file_id)
        logger.info("overdue upload settled", extra={"fileId": record.file_id, "as": event.type})
        return events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)
