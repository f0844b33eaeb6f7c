"""The log on Kafka.

IAM      on MSK: kafka-cluster:WriteData, ReadData on the topics; AlterGroup on the groups
Pinned   kafka-python 3.0.12 and later 3.0: earlier ones lose partitions after a rebalance
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import kafka
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from kafka.net.compat import KafkaNetClient

from hoist.domain.errors import Unavailable
from hoist.domain.ports import Message, Position

logger = logging.getLogger(__name__)
ACK_SECONDS_MAX = 8.0
AWAY_SECONDS = 1.0
# About the message, not the producer: a new one would be refused alike.
NOT_FATAL = (MessageSizeTooLargeError, TopicAuthorizationFailedError)
OLDEST = (3, 0, 12)


class KafkaLog:
    """One producer, made at first use: it must not be carried over a fork."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock = threading.Lock()
        self._producer: Any = None
        self._away_until = 0.0

    def append(self, messages: Sequence[Message]) -> list[Position]:
        if not messages:
            return []
        deadline = time.monotonic() + ACK_SECONDS_MAX
        producer = self._ready_producer()
        try:
            futures = [
                producer.send(
                    message.topic,
                    key=message.key.encode(),
                    value=message.value,
                    headers=list(message.headers),
                )
                for message in messages
            ]
            acked = [
                future.get(timeout=max(0.001, deadline - time.monotonic())) for future in futures
            ]
        except KafkaError as error:
            if not getattr(error, "retriable", False) and not isinstance(error, NOT_FATAL):
                self._renew(producer)
            raise Unavailable("the log does not answer; try again shortly") from error
        return [Position(done.topic, done.partition, done.offset) for done in acked]

    def ready(self, topic: str) -> None:
        """Raises ``Unavailable`` when the brokers do not know *topic*, or do not answer."""
        try:
            if not self._ready_producer().partitions_for(topic):
                raise Unavailable(f"the log has no topic {topic}")
        except KafkaError as error:
            raise Unavailable("the log does not answer; try again shortly") from error

    def close(self) -> None:
        with self._lock:
            if self._producer:
                self._producer.close(timeout=5)
                self._producer = None

    def _ready_producer(self) -> Any:
        with self._lock:
            if self._producer is None:
                # Callers queue for the lock: only the first of them waits for brokers.
                if time.monotonic() < self._away_until:
                    raise Unavailable("the log does not answer; try again shortly")
                try:
                    self._producer = producer(self._bootstrap)
                except KafkaError as error:
                    self._away_until = time.monotonic() + AWAY_SECONDS
                    raise Unavailable("the log does not answer; try again shortly") from error
            return self._producer

    def _renew(self, broken: Any) -> None:
        """A producer that lost its sequence never recovers; the next append makes a new one."""
        with self._lock:
            if self._producer is broken:
                self._producer = None
        logger.warning("producer replaced")
        threading.Thread(target=lambda: broken.close(timeout=1), daemon=True).start()


def producer(bootstrap: str) -> Any:
    return _open(
        KafkaProducer,
        bootstrap_servers=bootstrap.split(","),
        acks="all",
        enable_idempotence=True,  # said aloud: other settings turn it off silently
        linger_ms=0,
        delivery_timeout_ms=8_000,
        request_timeout_ms=4_000,
        max_block_ms=5_000,
        bootstrap_timeout_ms=5_000,  # 30 s by default, for every caller in turn
    )


def consumer(bootstrap: str, group: str, topic: str) -> Any:
    """A member of *group* that reads from the earliest record nobody committed."""
    return _open(
        KafkaConsumer,
        topic,
        bootstrap_servers=bootstrap.split(","),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        max_poll_records=100,
        fetch_max_wait_ms=500,
    )


def _open(kind: Any, *topics: str, **options: Any) -> Any:
    """A client of *kind*. When no broker answers, the library leaves its sockets open: we close."""
    _check_version()
    opened: list[Any] = []

    def client(**inner: Any) -> Any:
        opened.append(KafkaNetClient(**inner))
        return opened[0]

    try:
        return kind(*topics, kafka_client=client, **options)
    except KafkaError:
        for each in opened:
            each.close()
        raise


def _check_version() -> None:
    version = tuple(int(part) for part in kafka.__version__.split(".")[:3])
    if not OLDEST <= version < (3, 1):
        raise SystemExit(f"kafka-python {kafka.__version__} is not one we rely on: run make setup")
