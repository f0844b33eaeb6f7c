"""Step 5: storage says an object is there.

S3 ObjectCreated (SQS) -> CompleteUploads -> hoist.metadata (file.stored), key userId
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hoist import telemetry
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import FileStored
from hoist.domain.model import file_id_of_key
from hoist.domain.ports import Clock, Message, MessageLog, MetadataStore
from hoist.domain.row_json import record_from_json
from hoist.domain.volatile import Answer, Answers, Event, EventStream, Progress, ProgressBoard
from hoist.pipeline import events
from hoist.pipeline.progress import progress_event

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ArrivedObject:
    """One ObjectCreated event. ``key`` is decoded; ``stored_at_ms`` is S3's own time."""

    key: str
    size: int
    etag: str
    stored_at_ms: int


@dataclass(frozen=True)
class CompleteUploads:
    answers: Answers
    store: MetadataStore
    log: MessageLog
    board: ProgressBoard
    events: EventStream
    clock: Clock
    topic_prefix: str = ""

    def __call__(self, objects: Sequence[ArrivedObject]) -> list[ArrivedObject]:
        """Report each object under its owner; returns those whose owner is not known yet.

        An event names no user, so the owner is looked up: first among the recent answers, then in
        the store. One that is unknown now is delivered again by the queue, until its request is
        found; an object nobody asked for ends in the queue's own dead letters.
        """
        files = {item.key: file_id_of_key(item.key) for item in objects}
        ids = [this_file for this_file in files.values() if this_file]
        answers = self.answers.get_many(ids)
        owners = {this_file: answer.user_id for this_file, answer in answers.items()}
        if missing := [this_file for this_file in ids if this_file not in owners]:
            owners |= self.store.owners(missing)
        unknown: list[ArrivedObject] = []
        messages: list[Message] = []
        progress: dict[str, Progress] = {}
        for item in objects:
            this_file = files[item.key]
            if this_file is None:
                logger.warning("not an object of ours", extra={"key": item.key})
            elif this_file not in owners:
                unknown.append(item)
            else:
                answer = answers.get(this_file)
                trace_id = (answer and answer.trace.get("id")) or telemetry.new_trace()
                messages.append(self._stored(item, owners[this_file], this_file, trace_id))
                progress[this_file] = Progress("stored", item.size)
        self.log.append(messages)
        self.board.put_many(progress)
        self.events.publish(self._told(progress, answers))
        return unknown

    def _told(self, progress: Mapping[str, Progress], answers: Mapping[str, Answer]) -> list[Event]:
        """Progress for whoever watches; an upload too old to be remembered waits for its row."""
        told = []
        for this_file, reached in progress.items():
            answer = answers.get(this_file)
            if answer and answer.record:
                record = record_from_json(answer.record)
                trace_id = answer.trace.get("id") or telemetry.new_trace()
                told.append(progress_event(record, reached, self.clock(), trace_id))
        return told

    def _stored(self, item: ArrivedObject, user_id: str, this_file: str, trace_id: str) -> Message:
        telemetry.bind(trace_id)
        logger.info(
            "object arrived", extra={"fileId": this_file, "size": item.size, "key": item.key}
        )
        event = FileStored(
            user_id=user_id,
            file_id=this_file,
            size=item.size,
            etag=item.etag,
            stored_at=item.stored_at_ms,
        )
        return events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)
