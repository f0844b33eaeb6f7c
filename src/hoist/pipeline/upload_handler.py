"""Step 2: turn accepted requests into presigned URLs.

hoist.ingest.<lane> -> GrantUploads -> hoist.metadata (file.requested), and upload.ready
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hoist import telemetry
from hoist.domain.errors import MessageIdConflict, Rejected
from hoist.domain.messages import METADATA_TOPIC, Envelope, FileRequested
from hoist.domain.model import FileRecord, Status, file_id, record_from_json, record_to_json
from hoist.domain.policy import Policy
from hoist.domain.ports import (
    Answer,
    Answers,
    Clock,
    Event,
    EventStream,
    Message,
    MessageLog,
    MetadataStore,
    ObjectStore,
)
from hoist.pipeline import events
from hoist.pipeline.delivery import Item

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GrantUploads:
    """Everything this step touches is listed here."""

    policy: Callable[[], Policy]
    store: MetadataStore
    objects: ObjectStore
    log: MessageLog
    answers: Answers
    events: EventStream
    clock: Clock
    grace_seconds: int
    topic_prefix: str = ""

    def __call__(self, items: Sequence[Item[Envelope]]) -> None:
        known = self._known(items)
        granted: dict[str, FileRecord] = {}
        new: list[Message] = []
        answers: dict[str, Answer] = {}
        replies: list[Event] = []
        for item in items:
            this_file = file_id(item.message.user_id, item.message.message_id)
            before = granted.get(this_file) or known.get(this_file)
            try:
                record = self._decide(item, this_file, before)
            except Rejected as error:
                replies.append(self._refusal(item, this_file, error))
                if not isinstance(error, MessageIdConflict):
                    answers[this_file] = self._answer(item, "rejected", error=error)
                continue
            if not isinstance(before, FileRecord):
                new.append(self._requested(item, record))
            granted[this_file] = record
            answers[this_file] = self._answer(item, "ready", record=record)
            replies.extend(self._replies(item, record))
        # Record before replying: a client that never hears back asks again with the same
        # messageId, but an unrecorded file would be lost.
        self.log.append(new)
        self.answers.put_many(answers)
        self.events.publish(replies)

    def _known(self, items: Sequence[Item[Envelope]]) -> dict[str, FileRecord | str]:
        """What is known of each file: its record, or only the fingerprint of who came first."""
        keys = {
            (item.message.user_id, file_id(item.message.user_id, item.message.message_id)): None
            for item in items
        }
        known: dict[str, FileRecord | str] = {}
        for this_file, answer in self.answers.get_many([key[1] for key in keys]).items():
            if answer.state == "ready" and answer.record:
                known[this_file] = record_from_json(answer.record)
            elif answer.state == "accepted":
                known[this_file] = answer.fingerprint
        for (_, this_file), record in self.store.get_many(list(keys)).items():
            if record.status is not Status.ARRIVED:
                known[this_file] = record
        return known

    def _decide(
        self, item: Item[Envelope], this_file: str, before: FileRecord | str | None
    ) -> FileRecord:
        request = item.message
        facts = request.file.facts()
        if before is not None:
            first = before.file.fingerprint() if isinstance(before, FileRecord) else before
            if first != facts.fingerprint():
                raise MessageIdConflict(request.message_id)
        if isinstance(before, FileRecord):
            return before
        policy = self.policy()
        policy.check(facts, request.tier)
        expires = policy.tier(request.tier).url_expires_seconds
        return FileRecord(
            user_id=request.user_id,
            file_id=this_file,
            message_id=request.message_id,
            file=facts,
            status=Status.PENDING,
            created_at_ms=request.requested_at,
            settle_after_ms=self.clock() + (expires + self.grace_seconds) * 1000,
            trace={"id": item.trace_id, "tier": request.tier},
        )

    def _requested(self, item: Item[Envelope], record: FileRecord) -> Message:
        event = FileRequested(
            user_id=record.user_id,
            file_id=record.file_id,
            message_id=record.message_id,
            connection_id=item.message.connection_id,
            file=item.message.file,
            tier=item.message.tier,
            requested_at=record.created_at_ms,
            settle_after=record.settle_after_ms,
        )
        return events.message(self.topic_prefix + METADATA_TOPIC, event, item.trace_id)

    def _replies(self, item: Item[Envelope], record: FileRecord) -> list[Event]:
        """The URL; and for a repeat whose bytes were judged already, the verdict too."""
        if record.status is Status.REJECTED:
            return [
                self._event(
                    "upload.rejected", item, record.file_id, error=events.stored_refusal(record)
                )
            ]
        expires = self.policy().tier(item.message.tier).url_expires_seconds
        signed = self.objects.sign_put(record, expires_seconds=expires)
        ready = self._event("upload.ready", item, record.file_id, upload=events.signed_view(signed))
        telemetry.bind(item.trace_id)
        origin = {
            "topic": item.origin.topic,
            "partition": item.origin.partition,
            "offset": item.origin.offset,
        }
        logger.info("url granted", extra={"fileId": record.file_id, **origin})
        if record.status is not Status.STORED:
            return [ready]
        return [
            ready,
            self._event("upload.stored", item, record.file_id, file=events.file_view(record)),
        ]

    def _refusal(self, item: Item[Envelope], this_file: str, error: Rejected) -> Event:
        telemetry.bind(item.trace_id)
        logger.info("upload refused", extra={"fileId": this_file, "code": error.code})
        return self._event("upload.rejected", item, this_file, error=events.error_view(error))

    def _event(self, name: str, item: Item[Envelope], this_file: str, **members: object) -> Event:
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
            record=record_to_json(record) if record else None,
            error=events.error_view(error) if error else None,
            trace={"id": item.trace_id},
        )
