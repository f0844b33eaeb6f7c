"""A Kafka consumer that is none: two partitions, and what is committed of them."""

from types import SimpleNamespace

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class FakeConsumer:
    """``ends`` and ``positions`` by partition; ``forgotten`` ones are never fetched."""

    def __init__(self):
        self.ends, self.positions = {A: 0, B: 0}, {A: 0, B: 0}
        self.forgotten, self.is_away, self.closed = set(), False, False
        self.committed, self.refusals, self.listener = [], [], None
        self.committed_at_poll, self.on_poll = [], lambda: None
        self.waits_ms, self.unheard = [], []

    def subscribe(self, topics, listener):
        self.listener = listener

    def partitions_for_topic(self, topic):
        return {0, 1}

    def paused(self):
        return set()

    def end_offsets(self, partitions, timeout_ms):
        if self.is_away:
            raise KafkaTimeoutError
        return {one: self.ends[one] for one in partitions}

    def position(self, partition, timeout_ms):
        return self.positions[partition]

    def seek(self, partition, offset):
        self.positions[partition] = offset

    def poll(self, timeout_ms, max_records):
        self.committed_at_poll.append(list(self.committed))
        self.waits_ms.append(timeout_ms)
        self.on_poll()
        for one, end in self.ends.items():
            if one not in self.forgotten and self.positions[one] < end:
                offset = self.positions[one]
                self.positions[one] += 1
                return {one: [record(one, offset)]}
        return {}

    def commit(self, offsets, timeout_ms):
        if self.refusals:
            raise self.refusals.pop(0)
        self.committed.append({one: told.offset for one, told in offsets.items()})

    def commit_async(self, offsets, callback):
        """Heard later, by ``callback(offsets, answer)``."""
        self.commit(offsets, timeout_ms=0)
        self.unheard.append(lambda answer: callback(offsets, answer))

    def close(self, timeout_ms):
        self.closed = True


def record(partition, offset, value=b"x"):
    return SimpleNamespace(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=None,
        value=value,
        headers=[],
        leader_epoch=0,
    )


class Seconds:
    now = 0.0

    def __call__(self):
        return self.now
