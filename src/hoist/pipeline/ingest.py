"""Step 1: put a client's request on its tier's lane, durably, before saying "accepted".

frame or POST /files/upload -> Ingest -> hoist.ingest.<lane>, key userId
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hoist.domain import messages, policy
from hoist.domain.errors import Rejected
from hoist.domain.frames import UploadRequest
from hoist.domain.messages import Envelope
from hoist.domain.model import Principal, file_id
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock, MessageLog, Position
from hoist.domain.volatile import Answer, Answers, Lanes
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
    lanes: Lanes
    policy: Callable[[], Policy]
    clock: Clock
    topic_prefix: str = ""

    def __call__(
        self,
        principal: Principal,
        requests: Sequence[UploadRequest],
        connection_id: str | None,
        trace_id: str,
    ) -> list[Accepted | Rejected]:
        """Returns after the broker's ack of all; a request that makes no sense is ``Rejected``.

        Raises ``Unavailable``: then any of them may be in the log, and may be sent again.
        """
        outcomes: list[Accepted | Rejected | None] = [_wrong(request) for request in requests]
        good = [number for number, outcome in enumerate(outcomes) if outcome is None]
        lane = self.policy().tier(principal.tier).lane
        topic = self.topic_prefix + messages.ingest_topic(lane)
        envelopes = [
            Envelope(
                message_id=requests[number].message_id,
                user_id=principal.user_id,
                connection_id=connection_id,
                tier=principal.tier,
                file=requests[number].file,
                requested_at=self.clock(),
            )
            for number in good
        ]
        sent = [events.message(topic, envelope, trace_id) for envelope in envelopes]
        answers: dict[str, Answer] = {}
        for number, position in zip(good, self.log.append(sent), strict=True):
            request = requests[number]
            this_file = file_id(principal.user_id, request.message_id)
            fingerprint = request.file.facts().fingerprint()
            answers[this_file] = Answer(
                principal.user_id,
                fingerprint,
                "accepted",
                message_id=request.message_id,
                trace={"id": trace_id},
            )
            event = self._event(request, this_file, position, trace_id)
            outcomes[number] = Accepted(this_file, position, event)
        # Only so that an early GET /uploads/{id} finds something; the handler's answer replaces it.
        self.answers.put_many(answers)
        return [outcome for outcome in outcomes if outcome is not None]

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
            **self._queue(position),
            **events.trace_members(trace_id),
        }

    def _queue(self, position: Position) -> dict[str, Any]:
        pace = self.lanes.pace(position.topic, position.partition)
        if pace is None or pace.per_second <= 0:
            return {}
        before = max(0, position.offset - pace.next_offset)
        seconds = round((before + 1) / pace.per_second, 3)
        return {"queue": {"position": before, "waitSeconds": seconds}}


def _wrong(request: UploadRequest) -> Rejected | None:
    try:
        policy.check_file(request.file.facts())
    except Rejected as error:
        return error
    return None
