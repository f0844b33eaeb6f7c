"""How far the consumer groups are behind, how fast they go, and how long they will need."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from hoist.domain.errors import Unavailable
from hoist.domain.lag import Lag, LogWatch, Metric, PartitionLag, Place
from hoist.domain.messages import BUCKET_GROUP, dead_letter_topic, groups, setting_aside
from hoist.domain.ports import Clock

logger = logging.getLogger(__name__)
# Batches are committed in jumps: a speed between two looks of one second means little.
WINDOW_MS = 30_000
OWN_NAMESPACE = "Hoist"
Key = tuple[str, str, int]


class MeasureLag:
    """Each call is one look; speeds are measured between the looks of the last 30 seconds."""

    def __init__(
        self,
        log: LogWatch,
        clock: Clock,
        topic_prefix: str = "",
        queue_letters: Callable[[], int] | None = None,
    ) -> None:
        """*queue_letters* counts those of the bucket's events, which rest in a queue."""
        self._log, self._clock, self._prefix = log, clock, topic_prefix
        self._queue_letters = queue_letters
        self._looks: deque[tuple[int, Mapping[Key, int]]] = deque()

    def __call__(self) -> Lag:
        """Raises ``Unavailable``."""
        prefix = self._prefix
        read = {group: [prefix + topic for topic in topics] for group, topics in groups().items()}
        places = self._log.places(read)
        dead = {group: prefix + dead_letter_topic(group) for group in setting_aside()}
        sizes = self._log.sizes(list(dead.values()))
        now_ms = self._clock()
        earlier = self._earliest(now_ms)
        self._looks.append((now_ms, {_key(place): place.following for place in places}))
        return Lag(
            tuple(_lag(place, now_ms, earlier) for place in places),
            {group: sizes[topic] for group, topic in dead.items()} | self._in_queue(),
        )

    def _in_queue(self) -> dict[str, int]:
        """Nothing while the queue does not answer: an old number looks like a good one."""
        if self._queue_letters is None:
            return {}
        try:
            return {BUCKET_GROUP: self._queue_letters()}
        except Unavailable as error:
            logger.warning("dead letters of the queue not counted", extra={"reason": str(error)})
            return {}

    def _earliest(self, now_ms: int) -> tuple[int, Mapping[Key, int]] | None:
        """The oldest look of the window; a longer pause leaves the last one to compare with."""
        while len(self._looks) > 1 and self._looks[0][0] < now_ms - WINDOW_MS:
            self._looks.popleft()
        return self._looks[0] if self._looks else None


def _key(place: Place) -> Key:
    return place.group, place.topic, place.partition


def _lag(place: Place, now_ms: int, earlier: tuple[int, Mapping[Key, int]] | None) -> PartitionLag:
    lag, per_second = place.end - place.following, None
    if earlier and _key(place) in earlier[1] and now_ms > earlier[0]:
        # Somebody may have set the group back: that is no speed.
        done = max(0, place.following - earlier[1][_key(place)])
        per_second = done * 1000 / (now_ms - earlier[0])
    drain = 0.0 if not lag else lag / per_second if per_second else None
    since_ms = now_ms if place.following_ms is None else place.following_ms
    return PartitionLag(
        place.group,
        place.topic,
        place.partition,
        place.end,
        place.committed,
        lag,
        max(0, now_ms - since_ms) / 1000,
        per_second,
        drain,
    )


def metrics(lag: Lag, namespace: str) -> list[Metric]:
    """*lag* as numbers: those that MSK knows under its names in *namespace*, the rest in our own.

    A time that nobody can estimate, since nothing moves, is left out: it would be endless.
    """
    told = [
        Metric(OWN_NAMESPACE, "DeadLetters", count, "Count", {"Consumer Group": group})
        for group, count in lag.dead_letters.items()
    ]
    by_topic: dict[tuple[str, str], list[PartitionLag]] = {}
    by_group: dict[str, list[PartitionLag]] = {}
    for one in lag.partitions:
        by_topic.setdefault((one.group, one.topic), []).append(one)
        by_group.setdefault(one.group, []).append(one)
    for (group, topic), ones in by_topic.items():
        told += _as_msk(ones, namespace, {"Consumer Group": group, "Topic": topic})
    for group, ones in by_group.items():
        told += _of_a_group(ones, {"Consumer Group": group})
    return told


def _as_msk(
    ones: list[PartitionLag], namespace: str, dimensions: Mapping[str, str]
) -> Iterator[Metric]:
    lags = [one.lag for one in ones]
    yield Metric(namespace, "MaxOffsetLag", max(lags), "Count", dimensions)
    yield Metric(namespace, "SumOffsetLag", sum(lags), "Count", dimensions)
    drain = _longest(ones)
    if drain is not None:
        yield Metric(namespace, "EstimatedMaxTimeLag", drain, "Seconds", dimensions)


def _of_a_group(ones: list[PartitionLag], dimensions: Mapping[str, str]) -> Iterator[Metric]:
    oldest = max(one.oldest_seconds for one in ones)
    yield Metric(OWN_NAMESPACE, "OldestSeconds", oldest, "Seconds", dimensions)
    speeds = [one.records_per_second for one in ones if one.records_per_second is not None]
    if speeds:
        yield Metric(OWN_NAMESPACE, "RecordsPerSecond", sum(speeds), "Count/Second", dimensions)
    drain = _longest(ones)
    if drain is not None:
        yield Metric(OWN_NAMESPACE, "DrainSeconds", drain, "Seconds", dimensions)


def _longest(ones: list[PartitionLag]) -> float | None:
    """The drain time of the slowest partition; None when one of them does not move."""
    drains = [one.drain_seconds for one in ones]
    return None if None in drains else max(drain for drain in drains if drain is not None)
