"""What is done and must be committed, of the partitions that are ours now."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

logger = logging.getLogger(__name__)
COMMIT_MS_MAX = 2_000


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """Subscribes *consumer* to *topics*, and follows what it is given and gives up.

    The library calls from a thread in which nothing may block, so nothing is committed there: the
    poller commits before it polls, and partitions are only given up within a poll.
    """

    def __init__(self, consumer: KafkaConsumer, topics: Sequence[str]) -> None:
        self._consumer = consumer
        self._done: dict[TopicPartition, OffsetAndMetadata] = {}
        self._held: frozenset[TopicPartition] = frozenset()
        consumer.subscribe(topics, listener=self)
        for topic in topics:
            # Known before we join: else the group is arranged twice, the first time without them.
            consumer.partitions_for_topic(topic)

    @property
    def held(self) -> Collection[TopicPartition]:
        """The partitions that are ours; none while the group is being rearranged."""
        return self._held

    def done(self, partition: TopicPartition, following: int, leader_epoch: int) -> None:
        """Every record before *following* is done."""
        self._done[partition] = OffsetAndMetadata(following, "", leader_epoch)

    def commit(self) -> None:
        """Commit what is done. Refused for a while, it is kept for the next call.

        What is lost here is delivered again, harmlessly.
        """
        held = self._held
        offsets = {one: offset for one, offset in list(self._done.items()) if one in held}
        if not offsets:
            return
        try:
            self._consumer.commit(offsets, timeout_ms=COMMIT_MS_MAX)
        except CommitFailedError as error:
            # The group went on without us: somebody else's offsets may be further by now.
            self._forget(offsets)
            logger.warning("commit refused", extra={"reason": repr(error)})
        except KafkaError as error:
            logger.warning("commit put off", extra={"reason": repr(error)})
        else:
            self._forget(offsets)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._held -= frozenset(revoked)
        self._forget(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._held |= frozenset(assigned)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)

    def _forget(self, partitions: Iterable[Any]) -> None:
        for partition in partitions:
            self._done.pop(partition, None)
