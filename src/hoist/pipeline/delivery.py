"""What a failure means, decided once for every topic.

Malformed      poison: set aside in hoist.<group>.dlq at once; the partition goes on. Behind what is
               delivered again it comes again as well, and is set aside then
Unavailable    of one record, while its dependencies answer: it goes up a ladder of retry topics,
               five attempts in all, then it is set aside; the partition goes on
Unavailable    because a dependency is down for everybody: nothing is committed and no attempt is
               counted; the event source delivers the batch again, and those who wait are told
a bug          the batch is halved until the record that trips it stands alone and is set aside
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hoist import telemetry
from hoist.domain.errors import Malformed, Unavailable
from hoist.domain.messages import RETRY_SECONDS, dead_letter_topic, retry_topic
from hoist.domain.ports import Clock, Message, MessageLog, Received
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


def nobody(items: Sequence[Item[T]], error: Unavailable) -> None:
    """For steps that nobody waits for."""


@dataclass(frozen=True)
class Delivery:
    """``is_up`` says whether everything answers that the group's step needs."""

    log: MessageLog
    group: str
    clock: Clock
    is_up: Callable[[], bool]
    topic_prefix: str = ""

    def run(
        self,
        records: Sequence[Received],
        parse: Callable[[bytes | None], T],
        step: Callable[[Sequence[Item[T]]], None],
        told: Told[T] = nobody,
    ) -> list[Received]:
        """Hand the readable *records* to *step* as one batch; returns those to deliver again.

        A record from a retry topic that is not due yet is among them.
        """
        early: list[Received] = []
        items: list[Item[T]] = []
        poison: list[tuple[Received, Malformed]] = []
        for record in records:
            if Journey.of(record).due_ms > self.clock():
                early.append(record)
                continue
            trace_id = telemetry.trace_of(record.headers) or telemetry.new_trace()
            try:
                items.append(Item(parse(record.value), trace_id, record))
            except Malformed as error:
                poison.append((record, error))
        again = early + self._attempt(items, step, told)
        for record, why in poison:
            if any(_comes_before(one, record) for one in again):
                again.append(record)
            else:
                self._set_aside(record, why)
        return again

    def _attempt(
        self,
        items: Sequence[Item[T]],
        step: Callable[[Sequence[Item[T]]], None],
        told: Told[T],
    ) -> list[Received]:
        if not items:
            return []
        try:
            step(items)
        except Unavailable as error:
            if not self.is_up():
                logger.warning("batch waits", extra={"reason": str(error), "records": len(items)})
                told(items, error)
                return [item.origin for item in items]
            if len(items) == 1:
                self._later(items[0].origin, error)
                return []
        except Exception as error:
            if len(items) == 1:
                logger.exception("record set aside")
                self._set_aside(items[0].origin, error)
                return []
        else:
            return []
        middle = len(items) // 2
        first = self._attempt(items[:middle], step, told)
        return first + self._attempt(items[middle:], step, told)

    def _later(self, record: Received, error: Exception) -> None:
        """One step up the ladder; from its last one into the dead letters."""
        journey = Journey.of(record)
        if journey.attempt > len(RETRY_SECONDS):
            self._set_aside(record, error)
            return
        seconds = RETRY_SECONDS[journey.attempt - 1]
        topic = self.topic_prefix + retry_topic(self.group, seconds)
        self._move(record, topic, journey.after(error, self.clock(), seconds))
        told = {"to": topic, "attempt": journey.attempt, "reason": str(error)}
        logger.warning("record tried again later", extra=told)

    def _set_aside(self, record: Received, error: Exception) -> None:
        topic = self.topic_prefix + dead_letter_topic(self.group)
        journey = Journey.of(record).after(error, self.clock(), 0)
        self._move(record, topic, journey)
        logger.error("dead letter", extra={"to": topic, **journey.members()})

    def _move(self, record: Received, topic: str, journey: Journey) -> None:
        """The original bytes, with where they come from and why they are here."""
        key = (record.key or b"").decode("utf-8", "replace")
        headers = journey.headers(record)
        self.log.append([Message(topic, key, record.value or b"", headers, is_moved=True)])


def _comes_before(one: Received, other: Received) -> bool:
    """In the same partition."""
    here, there = (one.topic, one.partition), (other.topic, other.partition)
    return here == there and one.offset < other.offset
