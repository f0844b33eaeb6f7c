"""What is done and must be committed, of the partitions that are ours now."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

logger = logging.getLogger(__name__)
COMMIT_MS_MAX = 2_000
# A commit keeps the poller waiting for some milliseconds, and costs the broker as much as a record.
COMMIT_AFTER_SECONDS, PUT_OFF_SECONDS = 0.1, 0.5


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """Subscribes *consumer* to *topics*, and follows what it is given and gives up.

    What is done is committed together, 0.1 s after the first of it was begun, or when the batch
    then in hand ends. The library calls from a thread in which nothing may block: what is done of
    partitions that are given up is committed without waiting for the answer.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        topics: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer, self._clock = consumer, clock
        self._done: dict[TopicPartition, OffsetAndMetadata] = {}
        self._given_up: dict[TopicPartition, OffsetAndMetadata] = {}  # and not known as committed
        self._due = math.inf
        self._held: frozenset[TopicPartition] = frozenset()
        consumer.subscribe(topics, listener=self)
        for topic in topics:
            # Known before we join: else the group is arranged twice, the first time without them.
            consumer.partitions_for_topic(topic)

    @property
    def held(self) -> Collection[TopicPartition]:
        """The partitions that are ours; none while the group is being rearranged."""
        return self._held

    def begin(self) -> None:
        """A batch begins: what will be done of it is to be committed soon after."""
        self._commit_in(COMMIT_AFTER_SECONDS)

    def done(self, partition: TopicPartition, following: int, leader_epoch: int) -> None:
        """Every record before *following* is done. Of no interest once it is somebody else's."""
        if partition in self._held:
            self._done[partition] = OffsetAndMetadata(following, "", leader_epoch)

    @property
    def due_in_seconds(self) -> float:
        """How much time the next commit has; without end when nothing is to be committed."""
        return max(0.0, self._due - self._clock())

    def commit(self) -> None:
        """Commit what is done. Refused for a while, it is kept for the next call.

        What is lost here is delivered again, harmlessly.
        """
        self._due = math.inf
        offsets = self._of(self._held)
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
            self._commit_in(PUT_OFF_SECONDS)
        else:
            self._forget(offsets)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        revoked = frozenset(revoked)
        offsets = self._of(self._held & revoked)
        self._held -= revoked
        self._forget(revoked)
        self._given_up |= offsets
        if offsets:
            # It is on its way before the request to join anew, on the same connection.
            self._consumer.commit_async(offsets, callback=self._hear)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Who keeps a partition goes on after what is done, so nobody else would commit that."""
        assigned = frozenset(assigned)
        kept = {one: offset for one, offset in self._given_up.items() if one in assigned}
        self._given_up.clear()
        self._held |= assigned
        if kept:
            self._done = kept | self._done
            self.begin()

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._given_up.clear()
        self._held -= frozenset(lost)
        self._forget(lost)

    def _hear(self, offsets: Iterable[TopicPartition], answer: object) -> None:
        if isinstance(answer, Exception):
            logger.warning("commit refused", extra={"reason": repr(answer)})
            return
        for partition in offsets:
            self._given_up.pop(partition, None)

    def _commit_in(self, seconds: float) -> None:
        self._due = min(self._due, self._clock() + seconds)

    def _of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Any]:
        return {one: offset for one, offset in list(self._done.items()) if one in partitions}

    def _forget(self, partitions: Iterable[Any]) -> None:
        for partition in partitions:
            self._done.pop(partition, None)
