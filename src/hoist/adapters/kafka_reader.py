"""The log on Kafka, read by operators: outside of every consumer group.

IAM      on MSK: kafka-cluster:ReadData, DescribeTopic on the topics
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from hoist.adapters.kafka import open_client
from hoist.domain.errors import Unavailable
from hoist.domain.ports import Received

SILENT_SECONDS_MAX = 30.0
BATCH_MAX = 500


class KafkaReader:
    """Reads as much as there is, then stops; remembers where."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._next: dict[TopicPartition, int] = {}

    def read(self, topic: str) -> Iterator[Sequence[Received]]:
        with _consumer(self._bootstrap) as client:
            for batch in _batches(client, topic, self._next):
                last = batch[-1]
                self._next[TopicPartition(topic, last.partition)] = last.offset + 1
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
    client.assign(partitions)
    begin, end = client.beginning_offsets(partitions), client.end_offsets(partitions)
    for partition in partitions:
        client.seek(partition, max(begin_at.get(partition, 0), begin[partition]))
    deadline = time.monotonic() + SILENT_SECONDS_MAX
    while any(client.position(partition) < end[partition] for partition in partitions):
        if time.monotonic() > deadline:
            raise Unavailable("the log gives nothing more, and is not at its end")
        for partition, records in client.poll(timeout_ms=500, max_records=BATCH_MAX).items():
            within = [record for record in records if record.offset < end[partition]]
            if within:
                yield [_received(record) for record in within]
            # Whoever reads takes the time that it takes: only the log's silence counts.
            deadline = time.monotonic() + SILENT_SECONDS_MAX


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
