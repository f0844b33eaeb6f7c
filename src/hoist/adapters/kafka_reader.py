"""The log on Kafka, read by operators: outside of every consumer group.

IAM      on MSK: kafka-cluster:ReadData, DescribeTopic on the topics
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from hoist.adapters.kafka import open_client
from hoist.domain.errors import Unavailable
from hoist.domain.ports import Received

SILENT_SECONDS_MAX = 30.0
BATCH_MAX, POLL_MAX = 500, 5_000


class KafkaReader:
    """Reads as much as there is, then stops; remembers where.

    Of several partitions the older record comes first: since some were added, a key's later ones
    may be in another.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._next: dict[TopicPartition, int] = {}

    def read(self, topic: str) -> Iterator[Sequence[Received]]:
        with _consumer(self._bootstrap) as client:
            for batch in _batches(client, topic, self._next):
                for record in batch:
                    self._next[TopicPartition(topic, record.partition)] = record.offset + 1
                yield batch


class KafkaTopicReader:
    """Keeps nothing between two calls, so threads may share it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def since(self, topic: str, offset: int) -> Iterator[Sequence[Received]]:
        with _consumer(self._bootstrap) as client:
            yield from _batches(client, topic, {TopicPartition(topic, 0): offset})


@contextmanager
def _consumer(bootstrap: str) -> Iterator[Any]:
    """A consumer of no group; what Kafka raises meanwhile becomes ``Unavailable``."""
    client = None
    try:
        client = open_client(
            KafkaConsumer,
            bootstrap_servers=bootstrap.split(","),
            group_id=None,
            enable_auto_commit=False,
            bootstrap_timeout_ms=5_000,
        )
        yield client
    except KafkaError as error:
        raise Unavailable("the log does not answer; try again shortly") from error
    finally:
        if client:
            client.close()


def _batches(
    client: Any, topic: str, begin_at: Mapping[TopicPartition, int]
) -> Iterator[Sequence[Received]]:
    """Up to the end as it is now, each partition from where *begin_at* says, else its beginning."""
    partitions = [TopicPartition(topic, p) for p in client.partitions_for_topic(topic) or ()]
    if not partitions:
        raise Unavailable(f"the log has no topic {topic}")
    begin, end = client.beginning_offsets(partitions), client.end_offsets(partitions)
    place = {each: max(begin_at.get(each, 0), begin[each]) for each in partitions}
    waiting: dict[TopicPartition, deque[Any]] = {each: deque() for each in partitions}
    while wanted := {each for each in partitions if waiting[each] or place[each] < end[each]}:
        if empty := [each for each in wanted if not waiting[each]]:
            _fill(client, empty, place, end, waiting)
        if batch := _oldest([waiting[each] for each in wanted]):
            yield [_received(record) for record in batch]


def _fill(
    client: Any,
    partitions: Sequence[TopicPartition],
    place: dict[TopicPartition, int],
    end: Mapping[TopicPartition, int],
    waiting: Mapping[TopicPartition, deque[Any]],
) -> None:
    """Until something waits of each of *partitions*, or they are read to the end."""
    client.assign(partitions)
    for partition in partitions:
        client.seek(partition, place[partition])
    deadline = time.monotonic() + SILENT_SECONDS_MAX
    while any(not waiting[each] and place[each] < end[each] for each in partitions):
        if time.monotonic() > deadline:
            raise Unavailable("the log gives nothing more, and is not at its end")
        polled = client.poll(timeout_ms=500, max_records=POLL_MAX)
        for partition, records in polled.items():
            waiting[partition] += [each for each in records if each.offset < end[partition]]
            deadline = time.monotonic() + SILENT_SECONDS_MAX
        for partition in partitions:
            place[partition] = client.position(partition)


def _oldest(sides: Sequence[deque[Any]]) -> list[Any]:
    """Taken from *sides*: what is older than whatever comes, so until one of them is empty."""
    batch: list[Any] = []
    while len(batch) < BATCH_MAX and all(sides):
        side = min(sides, key=lambda records: records[0].timestamp)
        batch.append(side.popleft())
    return batch


def _received(record: Any) -> Received:
    return Received(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers),
        timestamp_ms=record.timestamp,
    )
