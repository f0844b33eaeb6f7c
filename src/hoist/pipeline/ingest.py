"""Step 1: put a client's request on its tier's lane, durably, before saying "accepted".

frame or POST /files/upload -> Ingest -> hoist.ingest.<lane>, key userId
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hoist.domain import messages, policy
from hoist.domain.errors import InvalidRequest, Rejected
from hoist.domain.frames import UploadRequest
from hoist.domain.messages import Envelope
from hoist.domain.model import Principal, file_id
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock, MessageLog, Position
from hoist.domain.volatile import Answer, Answers, LanePace, Lanes
from hoist.pipeline import events


class Asked(NamedTuple):
    """A request, and the trace that it begins."""

    request: UploadRequest
    trace_id: str


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
        asked: Sequence[Asked],
        connection_id: str | None,
    ) -> list[Accepted | Rejected]:
        """Returns after the broker's ack of all; a request that makes no sense is ``Rejected``.

        Raises ``Unavailable``: then any of them may be in the log, and may be sent again.
        """
        outcomes: list[Accepted | Rejected | None] = [
            self._wrong(request, principal.tier) for request, _ in asked
        ]
        good = [number for number, outcome in enumerate(outcomes) if outcome is None]
        lane = self.policy().tier(principal.tier).lane
        topic = self.topic_prefix + messages.ingest_topic(lane)
        sent = []
        for request, trace_id in (asked[number] for number in good):
            envelope = Envelope(
                message_id=request.message_id,
                user_id=principal.user_id,
                connection_id=connection_id,
                tier=principal.tier,
                file=request.file,
                requested_at=self.clock(),
            )
            sent.append(events.message(topic, envelope, trace_id))
        answers: dict[str, Answer] = {}
        paces: dict[tuple[str, int], LanePace | None] = {}
        for number, position in zip(good, self.log.append(sent), strict=True):
            request, trace_id = asked[number]
            this_file = file_id(principal.user_id, request.message_id)
            answer = Answer(
                principal.user_id,
                request.file.facts().fingerprint(),
                "accepted",
                message_id=request.message_id,
                trace={"id": trace_id},
            )
            answers.setdefault(this_file, answer)  # who asks for it first decides what it is
            place = (position.topic, position.partition)
            if place not in paces:
                paces[place] = self.lanes.pace(*place)
            event = self._event(request, this_file, position, trace_id, paces[place])
            outcomes[number] = Accepted(this_file, position, event)
        # Only so that an early GET /uploads/{id} finds something; the handler's answer replaces it.
        self.answers.put_many(answers)
        return [outcome for outcome in outcomes if outcome is not None]

    def _event(
        self,
        request: UploadRequest,
        this_file: str,
        position: Position,
        trace_id: str,
        pace: LanePace | None,
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
            **_queue(position, pace),
            **events.trace_members(trace_id),
        }

    def _wrong(self, request: UploadRequest, tier: str) -> Rejected | None:
        facts = request.file.facts()
        try:
            policy.check_file(facts)
            in_parts = self.policy().part_size(facts, tier) is not None
            if in_parts and facts.checksum_sha256 and not facts.part_checksums:
                # Storage checks parts, not the whole: nobody would have verified what we show.
                raise InvalidRequest(
                    "a file that goes in parts has its checksum kept only with partChecksums",
                    "file.partChecksums",
                )
        except Rejected as error:
            return error
        return None


def _queue(position: Position, pace: LanePace | None) -> dict[str, Any]:
    if pace is None or pace.per_second <= 0:
        return {}
    before = max(0, position.offset - pace.next_offset)
    seconds = round((before + 1) / pace.per_second, 3)
    return {"queue": {"position": before, "waitSeconds": seconds}}
