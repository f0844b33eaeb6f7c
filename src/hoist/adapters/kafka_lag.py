"""What Kafka knows of the groups that read it.

IAM      on MSK: kafka-cluster:DescribeTopic, ReadData on the topics; DescribeGroup on the groups;
         AlterGroup for ``rewind``
Reads    one record of each partition that is behind: its time is told nowhere else
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, NoError, UnknownMemberIdError

from hoist.adapters.kafka import open_client
from hoist.domain.errors import InvalidRequest, Unavailable
from hoist.domain.lag import Place

ANSWER_MS_MAX = 5_000


class KafkaWatch:
    """For one thread. Its clients are made at first use, and anew after a failure."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: Any = None
        self._reader: Any = None
        # When a record was appended never changes, and one that is stuck is looked at often.
        self._times: dict[tuple[TopicPartition, int], int] = {}

    def places(self, groups: Mapping[str, Sequence[str]]) -> list[Place]:
        with self._connected():
            partitions = self._partitions([topic for topics in groups.values() for topic in topics])
            begin, end = self._bounds([one for found in partitions.values() for one in found])
            committed: dict[TopicPartition, int] = {}
            for group in groups:
                # One by one: not every broker answers for several groups at once.
                found = self._admin.list_group_offsets({group: None})[group]
                committed |= {one: told.offset for one, told in found.items() if told.offset >= 0}
            following = {one: min(max(committed.get(one, 0), begin[one]), end[one]) for one in end}
            behind = {one: offset for one, offset in following.items() if offset < end[one]}
            times = self._times_of(behind)
        return [
            Place(
                group,
                one.topic,
                one.partition,
                end[one],
                committed.get(one),
                following[one],
                times.get(one),
                begin[one],
            )
            for group, topics in groups.items()
            for topic in topics
            for one in partitions[topic]
        ]

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        with self._connected():
            partitions = self._partitions(topics)
            begin, end = self._bounds([one for found in partitions.values() for one in found])
        return {
            topic: sum(end[one] - begin[one] for one in found)
            for topic, found in partitions.items()
        }

    def owned(self, groups: Sequence[str]) -> set[tuple[str, str, int]]:
        with self._connected():
            told = self._admin.describe_groups(list(groups))
        return {
            (group, assigned["topic"], partition)
            for group, found in told.items()
            for member in found["members"]
            # A member that has just joined has nothing yet.
            for assigned in (member["member_assignment"] or {}).get("assigned_partitions", ())
            for partition in assigned["partitions"]
        }

    def rewind(self, group: str, places: Sequence[Place]) -> None:
        offsets = {
            TopicPartition(one.topic, one.partition): OffsetAndMetadata(one.begin, "", -1)
            for one in places
        }
        with self._connected():
            told = self._admin.alter_group_offsets(group, offsets)
        if any(error is UnknownMemberIdError for error in told.values()):
            raise InvalidRequest(f"somebody reads for {group}: stop its workers first")
        if any(error is not NoError for error in told.values()):
            raise Unavailable(f"the log did not take the offsets of {group}; try again")

    def close(self) -> None:
        for client in (self._admin, self._reader):
            if client:
                client.close()
        self._admin = self._reader = None

    @contextmanager
    def _connected(self) -> Iterator[None]:
        limits = {
            "bootstrap_servers": self._bootstrap.split(","),
            "bootstrap_timeout_ms": ANSWER_MS_MAX,
            "request_timeout_ms": ANSWER_MS_MAX,
        }
        try:
            if self._admin is None:
                self._admin = open_client(KafkaAdminClient, **limits)
            if self._reader is None:
                # A byte is less than any batch, and a broker sends at least one.
                self._reader = open_client(
                    KafkaConsumer,
                    group_id=None,
                    enable_auto_commit=False,
                    max_partition_fetch_bytes=1,
                    **limits,
                )
            yield
        except KafkaError as error:
            self.close()
            raise Unavailable("the log does not answer; try again shortly") from error

    def _partitions(self, topics: Sequence[str]) -> dict[str, list[TopicPartition]]:
        found = {
            told["name"]: sorted(
                TopicPartition(told["name"], each["partition_index"]) for each in told["partitions"]
            )
            for told in self._admin.describe_topics(list(topics))
        }
        for topic in topics:
            if not found.get(topic):
                raise Unavailable(f"the log has no topic {topic}")
        return found

    def _bounds(
        self, partitions: list[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        reader = self._reader
        # The end last: what is appended meanwhile must not make a lag below zero.
        return reader.beginning_offsets(partitions), reader.end_offsets(partitions)

    def _times_of(self, behind: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """When the record at each offset was appended; those that do not come in time are left."""
        known = {key: at for key in behind.items() if (at := self._times.get(key)) is not None}
        unknown = [key for key in behind.items() if key not in known]
        reader, deadline = self._reader, time.monotonic() + ANSWER_MS_MAX / 1000
        reader.assign([one for one, _ in unknown])
        for one, offset in unknown:
            reader.seek(one, offset)
            reader.resume(one)  # assigned again, it stays as it was
        missing = dict(unknown)
        while missing and time.monotonic() < deadline:
            for one, records in reader.poll(timeout_ms=200).items():
                if one in missing:
                    known[one, missing.pop(one)] = records[0].timestamp
                    reader.pause(one)
        self._times = known
        return {one: at for (one, _), at in known.items()}
