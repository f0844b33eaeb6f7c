"""Notices a partition that the Kafka library forgot: it polls, records wait, and none ever come.

kafka-python lost partitions after a rebalance (its issues 3106 and 3131), and nothing but its lag
told. Only a new process is sure to fetch it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

STUCK_SECONDS = 30.0
LOOK_SECONDS = 5.0
ANSWER_MS_MAX = 2_000
# Other partitions are first by rights with what one fetch brought of each, at most a MiB.
FETCH_BYTES_MAX = 1_048_576


class Stuck(SystemExit):
    """Ends the process with exit code 1; whoever watches it starts it again."""


@dataclass(slots=True)
class _Still:
    """A partition that was behind at *position* at *since*, and what was fetched from then on."""

    position: int
    since: float
    polled_seconds: float = 0.0
    overtaken_bytes: int = 0


class Watchdog:
    """A partition that was polled for 30 s, and gave nothing though it is behind, is stuck.

    Not counted is time in which it had no chance: while the function works, since it may take
    minutes for one record; while the group is being rearranged; while no broker answers. What is
    delivered again and again, because the function wants it so, is delivered.
    """

    def __init__(self, consumer: KafkaConsumer, clock: Callable[[], float] = time.monotonic):
        self._consumer, self._clock = consumer, clock
        self._still: dict[TopicPartition, _Still] = {}
        self._next_look = clock() + LOOK_SECONDS

    def polled(self, records: Mapping[TopicPartition, Sequence[Any]], seconds: float) -> None:
        """A poll took *seconds* and brought *records*."""
        for partition in records:
            self._still.pop(partition, None)
        size = sum(_size(record) for found in records.values() for record in found)
        for still in self._still.values():
            still.polled_seconds += seconds
            still.overtaken_bytes += size

    def look(self, held: Collection[TopicPartition]) -> None:
        """Every 5 s ask the broker what waits in the partitions *held*. Raises ``Stuck``."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        behind = self._behind(held)
        for partition in held:
            still, position = self._still.get(partition), behind.get(partition)
            if position is None:
                self._still.pop(partition, None)
            elif still is None or still.position != position:
                self._still[partition] = _Still(position, now)
            elif now - still.since >= STUCK_SECONDS and self._had_a_chance(still, len(held)):
                raise Stuck(f"{partition} is stuck at {position}: records wait, and none come")

    def _had_a_chance(self, still: _Still, held: int) -> bool:
        """It was waited for, or others that had to come behind it were served."""
        overtaken = still.overtaken_bytes > 2 * held * FETCH_BYTES_MAX
        return still.polled_seconds >= STUCK_SECONDS / 2 or overtaken

    def _behind(self, held: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The position of each partition with lag; nothing when no broker says how it stands."""
        consumer = self._consumer
        try:
            asked = [one for one in held if one not in consumer.paused()]
            ends = consumer.end_offsets(asked, timeout_ms=ANSWER_MS_MAX) if asked else {}
            positions = {one: consumer.position(one, timeout_ms=ANSWER_MS_MAX) for one in asked}
        except KafkaError:
            return {}
        return {
            one: position
            for one, position in positions.items()
            if position is not None and position < ends[one]
        }


def _size(record: Any) -> int:
    return len(record.key or b"") + len(record.value or b"")
