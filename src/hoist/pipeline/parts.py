"""Step 4, for large files: parts are signed just in time, and joined when all are there.

client -> SendParts -> presigned part URLs; S3 ListParts decides what is missing
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hoist.domain.errors import InvalidRequest, NotInParts, PartsMissing
from hoist.domain.frames import WantedPart
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.model import FileRecord, Status
from hoist.domain.ports import Clock, MessageLog, ObjectStore, PartStore
from hoist.domain.volatile import Answer, Leases
from hoist.pipeline import events
from hoist.pipeline.admission import LEASE_SECONDS
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.views import STATES, Views

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SendParts:
    find: FindUpload
    objects: ObjectStore
    parts: PartStore
    views: Views
    leases: Leases
    log: MessageLog
    clock: Clock
    topic_prefix: str = ""

    def sign(
        self, user_id: str, file_id: str, wanted: Sequence[WantedPart], trace_id: str
    ) -> list[dict[str, Any]]:
        """One signed PUT for each part; the upload lives on for as long as they do.

        Raises ``NotFound``, ``NotInParts``, ``InvalidRequest`` or ``Unavailable``.
        """
        record = _expecting(self.find(user_id, file_id))
        for part in wanted:
            self._check(record, part)
        if longer := self.views.extended(record):
            record, event = longer
            topic = self.topic_prefix + METADATA_TOPIC
            # Before the URLs are out: nobody may be told that they expired while they work.
            self.log.append([events.message(topic, event, trace_id)])
        self.leases.renew(user_id, file_id, self.clock() + LEASE_SECONDS * 1000)
        seconds = self.views.signed_seconds(record)
        return [
            {"number": part.number}
            | events.signed_view(
                self.parts.sign_part(
                    record, part.number, part.checksum_sha256, expires_seconds=seconds
                )
            )
            for part in wanted
        ]

    def complete(self, user_id: str, file_id: str) -> None:
        """Join the parts; a second call is harmless.

        Raises ``NotFound``, ``NotInParts``, ``PartsMissing`` or ``Unavailable``.
        """
        found = self.find(user_id, file_id)
        if isinstance(found, FileRecord) and found.status is Status.STORED:
            return
        self.join(_expecting(found))

    def join(self, record: FileRecord) -> None:
        """Make one object of *record*'s parts, if storage has all of them as announced."""
        stored = {part.number: part for part in self.parts.parts(record)}
        if not stored and self.objects.head(record.s3_key):
            return
        multipart, size = record.multipart, record.file.size
        assert multipart
        numbers = range(1, record.part_count + 1)
        missing = [
            number
            for number in numbers
            if number not in stored or stored[number].size != multipart.length(number, size)
        ]
        if missing:
            raise PartsMissing(missing)
        self.parts.join(record, [stored[number] for number in numbers])
        logger.info("parts joined", extra={"fileId": record.file_id, "parts": len(numbers)})

    def _check(self, record: FileRecord, part: WantedPart) -> None:
        if part.number > record.part_count:
            raise InvalidRequest(f"parts are 1 to {record.part_count}", "parts.number")
        if record.file.part_checksums != (part.checksum_sha256 is not None):
            wanted = "needs" if record.file.part_checksums else "was announced without"
            raise InvalidRequest(f"each part {wanted} its checksumSha256", "parts.checksumSha256")


def _expecting(found: FileRecord | Answer) -> FileRecord:
    """The upload, while storage waits for its parts. Raises ``NotInParts``."""
    if not isinstance(found, FileRecord):
        raise NotInParts(found.state)
    if found.status is not Status.PENDING or not found.multipart:
        raise NotInParts(STATES.get(found.status, found.status.value), bool(found.multipart))
    return found
