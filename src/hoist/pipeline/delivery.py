"""What a failure means, decided once for every topic.

Malformed      set aside in hoist.<group>.dlq with its origin; the partition goes on
Unavailable    nothing is committed; the event source delivers the batch again later
a bug          the batch is halved until the record that trips it stands alone and is set aside
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hoist import telemetry
from hoist.domain.errors import Malformed, Unavailable
from hoist.domain.messages import dead_letter_topic, iso
from hoist.domain.ports import Clock, Message, MessageLog

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """One record as the event source delivered it, bytes untouched."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """A record that could be read, with the trace it belongs to."""

    message: T
    trace_id: str
    origin: Received


@dataclass(frozen=True)
class Delivery:
    log: MessageLog
    group: str
    clock: Clock
    topic_prefix: str = ""

    def run(
        self,
        records: Sequence[Received],
        parse: Callable[[bytes | None], T],
        step: Callable[[Sequence[Item[T]]], None],
    ) -> list[Received]:
        """Hand the readable *records* to *step* as one batch; returns those to deliver again."""
        items: list[Item[T]] = []
        for record in records:
            trace_id = telemetry.trace_of(record.headers) or telemetry.new_trace()
            try:
                items.append(Item(parse(record.value), trace_id, record))
            except Malformed as error:
                self._set_aside(record, error)
        return self._attempt(items, step)

    def _attempt(
        self, items: Sequence[Item[T]], step: Callable[[Sequence[Item[T]]], None]
    ) -> list[Received]:
        if not items:
            return []
        try:
            step(items)
        except Unavailable as error:
            logger.warning("batch put back", extra={"reason": str(error), "records": len(items)})
            return [item.origin for item in items]
        except Exception as error:
            if len(items) == 1:
                logger.exception("record set aside")
                self._set_aside(items[0].origin, error)
                return []
            middle = len(items) // 2
            return self._attempt(items[:middle], step) + self._attempt(items[middle:], step)
        return []

    def _set_aside(self, record: Received, error: Exception) -> None:
        now = iso(self.clock())
        origin = {
            "hoist-origin-topic": record.topic,
            "hoist-origin-partition": str(record.partition),
            "hoist-origin-offset": str(record.offset),
            "hoist-attempt": "1",
            "hoist-error-class": type(error).__name__,
            "hoist-error": str(error)[:500],
            "hoist-first-failure": now,
            "hoist-last-failure": now,
        }
        headers = [*record.headers, *((name, text.encode()) for name, text in origin.items())]
        topic = self.topic_prefix + dead_letter_topic(self.group)
        key = (record.key or b"").decode("utf-8", "replace")
        self.log.append([Message(topic, key, record.value or b"", headers)])
        logger.error("dead letter", extra={"to": topic, **origin})
