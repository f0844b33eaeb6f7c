"""Step 2: turn accepted requests into presigned URLs.

hoist.ingest.<lane> -> GrantUploads -> hoist.metadata (file.requested), and upload.ready
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hoist import telemetry
from hoist.domain.errors import MessageIdConflict, Rejected, UploadCancelled
from hoist.domain.messages import METADATA_TOPIC, Envelope
from hoist.domain.metadata import Accepted, FileRequested, Parts
from hoist.domain.model import GONE, FileRecord, Multipart, Status
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock, Message, MessageLog, MetadataStore, PartStore
from hoist.domain.row_json import record_to_json
from hoist.domain.volatile import Answer, Answers, Event, EventStream
from hoist.pipeline import events
from hoist.pipeline.admission import Admission, Wanted
from hoist.pipeline.delivery import Item
from hoist.pipeline.pace import Pace
from hoist.pipeline.triage import Triage, request_id
from hoist.pipeline.views import Views

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GrantUploads:
    """Everything this step touches is listed here."""

    policy: Callable[[], Policy]
    admission: Admission
    store: MetadataStore
    parts: PartStore
    log: MessageLog
    answers: Answers
    events: EventStream
    views: Views
    pace: Pace
    clock: Clock
    grace_seconds: int
    topic_prefix: str = ""

    def __call__(self, items: Sequence[Item[Envelope]]) -> None:
        began_ms = self.clock()
        triaged = Triage(self.store, self.answers, self._life_ms)(items)
        wanted = {name: self._wanted(item) for name, item in triaged.firsts.items()}
        refused = self.admission(list(wanted.values()), triaged.accounts)
        granted = {
            name: self._begin(triaged.firsts[name], one)
            for name, one in wanted.items()
            if name not in refused
        }
        news = [self._requested(triaged.firsts[name], record) for name, record in granted.items()]
        answers: dict[str, Answer] = {}
        replies: list[Event] = []
        for item in items:
            name = request_id(item)
            if told := triaged.refused.get(name):
                # The same refusal, not a second chance.
                replies.append(self._event("upload.rejected", item, name, error=told.error))
                answers[name] = replace(told, told_at_ms=self.clock())
                continue
            try:
                record = self._decided(item, triaged.known.get(name), granted, refused)
            except Rejected as error:
                replies.append(self._refusal(item, name, error))
                if not isinstance(error, MessageIdConflict):
                    answers[name] = self._answer(item, "rejected", error=error)
                continue
            # Remembered as granted, not as extended: after the expiry, an extension is none.
            answers[name] = self._answer(item, "ready", record=record)
            if name not in granted and (longer := self.views.extended(record)):
                record, extension = longer
                news.append(events.message(self._metadata_topic, extension, item.trace_id))
            replies.extend(self._replies(item, record, is_new=name in granted))
        # Record before replying: a client that never hears back asks again with the same
        # messageId, but an unrecorded file would be lost.
        self.log.append(news)
        self.answers.put_many(answers)
        self.events.publish(replies)
        self.pace.done([item.origin for item in items], began_ms)

    def _wanted(self, item: Item[Envelope]) -> Wanted:
        request = item.message
        until = self.clock() + self._life_ms(request.tier)
        return Wanted(
            request.user_id,
            request_id(item),
            request.message_id,
            request.tier,
            request.file.facts(),
            until,
        )

    def _begin(self, item: Item[Envelope], wanted: Wanted) -> FileRecord:
        """A new row, as it will be stored; a large file's parts begin in storage here."""
        request = item.message
        record = FileRecord(
            user_id=request.user_id,
            file_id=wanted.file_id,
            message_id=request.message_id,
            file=wanted.facts,
            status=Status.PENDING,
            created_at_ms=request.requested_at,
            settle_after_ms=wanted.until_ms,
            trace={"id": item.trace_id, "tier": request.tier},
        )
        part_size = self.policy().part_size(wanted.facts, request.tier)
        if part_size is None:
            return record
        return replace(record, multipart=Multipart(self.parts.begin(record), part_size))

    def _decided(
        self,
        item: Item[Envelope],
        before: FileRecord | str | None,
        granted: Mapping[str, FileRecord],
        refused: Mapping[str, Rejected],
    ) -> FileRecord:
        """What this request gets: who came first decides. Raises ``Rejected``."""
        name = request_id(item)
        record = granted.get(name) or (before if isinstance(before, FileRecord) else None)
        if record and record.status in GONE:
            raise UploadCancelled
        first = record.fingerprint if record else before
        if first not in (None, item.message.file.facts().fingerprint()):
            raise MessageIdConflict(item.message.message_id)
        if name in refused:
            raise refused[name]
        assert record is not None, "neither known, granted nor refused"
        return record

    def _requested(self, item: Item[Envelope], record: FileRecord) -> Message:
        parts, first = record.multipart, item.journey
        accepted = Accepted(
            topic=first.origin_topic,
            partition=first.origin_partition,
            offset=first.origin_offset,
            at=item.message.requested_at,
            worker=events.worker_of(item.origin),
        )
        event = FileRequested(
            user_id=record.user_id,
            file_id=record.file_id,
            message_id=record.message_id,
            connection_id=item.message.connection_id,
            file=item.message.file,
            tier=item.message.tier,
            requested_at=record.created_at_ms,
            settle_after=record.settle_after_ms,
            parts=Parts(upload_id=parts.upload_id, part_size=parts.part_size) if parts else None,
            accepted=accepted,
        )
        return events.message(self._metadata_topic, event, item.trace_id)

    @property
    def _metadata_topic(self) -> str:
        return self.topic_prefix + METADATA_TOPIC

    def _replies(self, item: Item[Envelope], record: FileRecord, *, is_new: bool) -> list[Event]:
        """The URL; for a repeat whose bytes were judged already, the verdict."""
        if record.status is Status.REJECTED:
            refusal = events.stored_refusal(record)
            return [self._event("upload.rejected", item, record.file_id, error=refusal)]
        if record.status is Status.EXPIRED:
            return [self._event("upload.expired", item, record.file_id, detail=record.reason)]
        if record.status is Status.STORED:
            file = events.file_view(record)
            return [self._event("upload.stored", item, record.file_id, file=file)]
        way = self.views.way_to_send(record, is_new=is_new)
        self._log_grant(item, record)
        return [self._event("upload.ready", item, record.file_id, **way)]

    def _log_grant(self, item: Item[Envelope], record: FileRecord) -> None:
        telemetry.bind(item.trace_id)
        place = item.origin
        origin = {"topic": place.topic, "partition": place.partition, "offset": place.offset}
        logger.info("url granted", extra={"fileId": record.file_id, **origin})

    def _life_ms(self, tier: str) -> int:
        return (self.policy().tier(tier).url_expires_seconds + self.grace_seconds) * 1000

    def _refusal(self, item: Item[Envelope], this_file: str, error: Rejected) -> Event:
        telemetry.bind(item.trace_id)
        logger.info("upload refused", extra={"fileId": this_file, "code": error.code})
        return self._event("upload.rejected", item, this_file, error=events.error_view(error))

    def _event(self, name: str, item: Item[Envelope], this_file: str, **members: Any) -> Event:
        return events.event(
            name,
            item.message.user_id,
            at_ms=self.clock(),
            trace_id=item.trace_id,
            connection_id=item.message.connection_id,
            messageId=item.message.message_id,
            fileId=this_file,
            **members,
        )

    def _answer(
        self,
        item: Item[Envelope],
        state: str,
        record: FileRecord | None = None,
        error: Rejected | None = None,
    ) -> Answer:
        return Answer(
            user_id=item.message.user_id,
            fingerprint=item.message.file.facts().fingerprint(),
            state=state,
            message_id=item.message.message_id,
            requested_at_ms=item.message.requested_at,
            record=record_to_json(record) if record else None,
            error=events.error_view(error) if error else None,
            trace={"id": item.trace_id},
            told_at_ms=self.clock() if error else 0,
        )
