"""What a failure means, decided once for every topic.

Malformed      poison: set aside in hoist.<group>.dlq at once; the partition goes on
Unavailable    of one record, while its dependencies answer: it goes up a ladder of retry topics,
               five attempts in all, then it is set aside; the partition goes on
Unavailable    of several and of none not, though its dependencies answer: all wait for a moment,
               then each goes up the ladder
anything,      while a dependency is down: nothing is committed and no attempt is counted; the event
               source delivers the batch again, and those who wait are told
a bug          the batch is halved until the record that trips it stands alone and is set aside

A record is never touched behind one of its partition that is delivered again: it comes again too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hoist import telemetry
from hoist.domain.errors import Malformed, Unavailable
from hoist.domain.messages import RETRY_SECONDS, dead_letter_topic, retry_topic
from hoist.domain.ports import Clock, Message, MessageLog, Received
from hoist.pipeline.attempt import Attempt
from hoist.pipeline.journey import Journey

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """A record that could be read, with the trace it belongs to."""

    message: T
    trace_id: str
    origin: Received

    @property
    def journey(self) -> Journey:
        """Where it first was, also when it comes from a retry topic."""
        return Journey.of(self.origin)


Told = Callable[[Sequence[Item[T]], Unavailable], None]
"""Hears which records wait for a dependency that is down."""


Failed = tuple[Received, Exception]
DUE_MS_MAX = (max(RETRY_SECONDS) + 300) * 1000  # with clocks that differ by five minutes
DOUBT_SECONDS = 3.0  # well below the five that a partition may wait


def nobody(items: Sequence[Item[T]], error: Unavailable) -> None:
    """For steps that nobody waits for."""


@dataclass
class Doubt:
    """Whether several failures alike may still be an outage that ``is_up`` does not see."""

    until: float | None = None

    def is_left(self, clock: Callable[[], float] = time.monotonic) -> bool:
        if self.until is None:
            self.until = clock() + DOUBT_SECONDS
        return clock() < self.until

    def end(self) -> None:
        self.until = None


@dataclass(frozen=True)
class Delivery:
    """``is_up`` says whether everything answers that the group's step needs.

    One for a consumer: ``doubt`` goes on from batch to batch.
    """

    log: MessageLog
    group: str
    clock: Clock
    is_up: Callable[[], bool]
    topic_prefix: str = ""
    doubt: Doubt = field(default_factory=Doubt)

    def run(
        self,
        records: Sequence[Received],
        parse: Callable[[bytes | None], T],
        step: Callable[[Sequence[Item[T]]], None],
        told: Told[T] = nobody,
    ) -> list[Received]:
        """Hand the readable *records* to *step* as one batch; returns those to deliver again.

        A record from a retry topic that is not due yet is among them. *records* are in order. What
        fails is moved at the end, together. Raises ``Unavailable`` when it cannot be.
        """
        again = Again()
        items: list[Item[T]] = []
        failed: list[Failed] = []
        for record in records:
            if self._is_early(record):
                again.add(record)
            if again.has_before(record):
                continue
            trace_id = telemetry.trace_of(record.headers) or telemetry.new_trace()
            try:
                items.append(Item(parse(record.value), trace_id, record))
            except Malformed as error:
                failed.append((record, error))
        failed += self._attempt(items, step, told, again)
        if moves := [self._move(*one) for one in failed if not again.has_before(one[0])]:
            self.log.append(moves)
        return [record for record in records if again.has_before(record)]

    def _is_early(self, record: Received) -> bool:
        """Only the ladder makes a record wait, and never longer than its longest step."""
        due_ms = Journey.of(record).due_ms
        if not due_ms or record.topic not in self._rungs:
            return False
        return 0 < due_ms - self.clock() <= DUE_MS_MAX

    @property
    def _rungs(self) -> list[str]:
        return [self.topic_prefix + retry_topic(self.group, each) for each in RETRY_SECONDS]

    def _attempt(
        self,
        items: Sequence[Item[T]],
        step: Callable[[Sequence[Item[T]]], None],
        told: Told[T],
        again: Again,
    ) -> list[Failed]:
        """What failed and can be moved; what cannot be done now is added to *again*."""
        tried = Attempt(step, self.is_up)
        tried.run(items)
        waiting, outage = tried.waiting, tried.outage
        if tried.is_all_alike and self.doubt.is_left():
            outage = tried.failures[0][1]
            waiting = [item for item, _ in tried.failures] + waiting
        elif tried.done:
            self.doubt.end()
        if outage is not None:
            telemetry.bind(None)
            logger.warning("batch waits", extra={"reason": str(outage), "records": len(waiting)})
            told(waiting, _unavailable(outage))
        for item in waiting:
            again.add(item.origin)
        return [(item.origin, error) for item, error in tried.failures]

    def _move(self, record: Received, error: Exception) -> Message:
        """To the ladder's next step what another attempt may help, all else to the dead letters.

        The original bytes, with where they come from and why they are here.
        """
        journey = Journey.of(record)
        telemetry.bind(telemetry.trace_of(record.headers))
        if isinstance(error, Unavailable) and journey.attempt <= len(RETRY_SECONDS):
            seconds = RETRY_SECONDS[journey.attempt - 1]
            topic = retry_topic(self.group, seconds)
            told = {"to": topic, "attempt": journey.attempt, "reason": str(error)}
            logger.warning("record tried again later", extra=told)
            journey = journey.after(error, self.clock(), seconds)
        else:
            topic = dead_letter_topic(self.group)
            journey = journey.after(error, self.clock(), 0)
            is_bug = not isinstance(error, Malformed | Unavailable)
            told = {"to": topic, **journey.members()}
            logger.error("dead letter", extra=told, exc_info=error if is_bug else None)
        headers = journey.headers(record)
        return Message(self.topic_prefix + topic, record.key, record.value, headers, is_moved=True)


class Again:
    """From where on each partition is delivered again."""

    def __init__(self) -> None:
        self._lowest: dict[tuple[str, int], int] = {}

    def add(self, record: Received) -> None:
        place = (record.topic, record.partition)
        self._lowest[place] = min(record.offset, self._lowest.get(place, record.offset))

    def has_before(self, record: Received) -> bool:
        """Whether *record*, or one before it in its partition, is delivered again."""
        lowest = self._lowest.get((record.topic, record.partition))
        return lowest is not None and lowest <= record.offset


def _unavailable(error: Exception) -> Unavailable:
    return error if isinstance(error, Unavailable) else Unavailable("a dependency does not answer")
