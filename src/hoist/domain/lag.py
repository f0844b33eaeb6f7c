"""How far the consumer groups are behind, and what the world must tell us to know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """Where *group* stands in one partition, at one moment.

    ``following`` is the first record that it has not committed, or ``end`` when there is none;
    ``following_ms`` says when that record was appended, and is None when there is none.
    ``committed`` is None as long as the group never committed. ``begin`` is the first record that
    the log still has.
    """

    group: str
    topic: str
    partition: int
    end: int
    committed: int | None
    following: int
    following_ms: int | None
    begin: int = 0

    @property
    def is_outside(self) -> bool:
        """Whether what was committed is before or behind all that the log has."""
        return self.committed is not None and not self.begin <= self.committed <= self.end


class LogWatch(Protocol):
    """What the log knows of those who read it. Raises ``Unavailable``."""

    def places(self, groups: Mapping[str, Sequence[str]]) -> list[Place]:
        """A place for every partition of each group's topics, in their order.

        No topic may be read by two of the groups. A topic that is not there is ``Unavailable``.
        """

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """How many records each topic keeps."""

    def owned(self, groups: Sequence[str]) -> set[tuple[str, str, int]]:
        """Each (group, topic, partition) that a member of the group has now."""


class LogRewind(Protocol):
    def rewind(self, group: str, places: Sequence[Place]) -> None:
        """Commit, for *group*, the first record that each of *places* still has.

        Raises ``InvalidRequest`` while somebody reads for the group, ``Unavailable``.
        """


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """``records_per_second`` are those committed; None before there are two looks to compare.

    ``drain_seconds`` is how long what waits takes at that speed, and None when nothing moves.
    """

    group: str
    topic: str
    partition: int
    end: int
    committed: int | None
    lag: int
    oldest_seconds: float
    records_per_second: float | None
    drain_seconds: float | None


@dataclass(frozen=True, slots=True)
class Lag:
    """One look at everything; ``dead_letters`` counts them by group."""

    partitions: tuple[PartitionLag, ...]
    dead_letters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number for whoever keeps numbers and raises alarms."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: Mapping[str, str]


class MetricStore(Protocol):
    def put(self, metrics: Sequence[Metric], at_ms: int) -> None:
        """Keep all of them, measured at *at_ms*. Raises ``Unavailable``; some may be kept then."""
