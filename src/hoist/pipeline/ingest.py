"""Step 1: put a client's request on its tier's lane, durably, before saying "accepted".

frame or POST /files/upload -> Ingest -> hoist.ingest.<lane>, key userId
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hoist.domain import messages, policy
from hoist.domain.messages import Envelope, UploadRequest
from hoist.domain.model import Principal, file_id
from hoist.domain.policy import Policy
from hoist.domain.ports import Answer, Answers, Clock, MessageLog, Position
from hoist.pipeline import events


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that the log holds: it will be answered."""

    file_id: str
    position: Position
    event: dict[str, Any]


@dataclass(frozen=True)
class Ingest:
    log: MessageLog
    answers: Answers
    policy: Callable[[], Policy]
    clock: Clock
    topic_prefix: str = ""

    def __call__(
        self, principal: Principal, request: UploadRequest, connection_id: str | None, trace_id: str
    ) -> Accepted:
        """Returns after the broker's ack. Raises ``InvalidRequest`` or ``Unavailable``."""
        facts = request.file.facts()
        policy.check_file(facts)
        now = self.clock()
        envelope = Envelope(
            message_id=request.message_id,
            user_id=principal.user_id,
            connection_id=connection_id,
            tier=principal.tier,
            file=request.file,
            requested_at=now,
        )
        lane = self.policy().tier(principal.tier).lane
        topic = self.topic_prefix + messages.ingest_topic(lane)
        message = events.message(topic, envelope, trace_id)
        [position] = self.log.append([message])
        this_file = file_id(principal.user_id, request.message_id)
        # Only so that an early GET /uploads/{id} finds something; the handler's answer replaces it.
        answer = Answer(principal.user_id, facts.fingerprint(), "accepted", trace={"id": trace_id})
        self.answers.put_many({this_file: answer})
        return Accepted(this_file, position, self._event(request, this_file, position, trace_id))

    def _event(
        self, request: UploadRequest, this_file: str, position: Position, trace_id: str
    ) -> dict[str, Any]:
        return {
            "event": "upload.accepted",
            "at": messages.iso(self.clock()),
            "messageId": request.message_id,
            "fileId": this_file,
            "log": {
                "topic": position.topic,
                "partition": position.partition,
                "offset": position.offset,
            },
            **events.trace_members(trace_id),
        }
