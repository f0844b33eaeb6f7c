"""The log on Kafka.

IAM      on MSK: kafka-cluster:WriteData, ReadData on the topics; AlterGroup on the groups
Pinned   kafka-python 3.0.12 and later 3.0: earlier ones lose partitions after a rebalance
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import kafka
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import (
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)
from kafka.net.compat import KafkaNetClient

from hoist.adapters.circuit import AWAY_SECONDS, Circuit
from hoist.domain.errors import Busy, Malformed, Unavailable
from hoist.domain.ports import Message, Position

logger = logging.getLogger(__name__)
# Whoever asks is answered within 8 s: up to 3 for a producer or for metadata, up to 5 for the ack.
ACK_SECONDS_MAX, BLOCK_SECONDS_MAX = 5.0, 3.0
RECONNECT_SECONDS_MAX = 1.0  # 30 by default, for as long as that after an outage
AWAY = "the log does not answer; try again shortly"
# About the message, not the producer: a new one would be refused alike.
NOT_FATAL = (TopicAuthorizationFailedError,)
OLDEST = (3, 0, 12)
# Brokers take 1 MiB, and a refusal of theirs costs the producer: none is ever asked for more. What
# failed is moved with headers that say why, to topics that take 3 MiB.
MESSAGE_BYTES_MAX, MOVED_BYTES_MAX = 1_000_000, 2 * 1024**2


class KafkaLog:
    """One producer, made at first use: it must not be carried over a fork."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._producer: Any = None
        self._away_until = 0.0
        self._circuits: dict[str, Circuit] = {}

    def append(self, messages: Sequence[Message]) -> list[Position]:
        if not messages:
            return []
        for message in messages:
            _check_size(message)
        topics = sorted({message.topic for message in messages})
        try:
            with ExitStack() as turns:
                for topic in topics:
                    turns.enter_context(self._circuit(topic).turn(str(messages[0].key)))
                return self._append(messages)
        except KafkaError as error:
            raise Busy(AWAY) from error

    def ready(self, topic: str) -> None:
        """Raises ``Unavailable`` when the brokers do not know *topic*, or do not answer."""
        if self._circuit(topic).is_open:
            raise Busy(AWAY)
        try:
            producer = self._ready_producer()
            with self._alive(producer):
                is_known = bool(producer.partitions_for(topic))
            if not is_known:
                raise Unavailable(f"the log has no topic {topic}")
        except KafkaError as error:
            raise Busy(AWAY) from error

    def _append(self, messages: Sequence[Message]) -> list[Position]:
        deadline = time.monotonic() + ACK_SECONDS_MAX
        try:
            return self._send(self._ready_producer(), messages, deadline)
        except IllegalStateError:
            # It was replaced after we had picked it up: that says nothing of these topics.
            if time.monotonic() > deadline - BLOCK_SECONDS_MAX:
                raise
            return self._send(self._ready_producer(), messages, deadline)

    def _send(self, producer: Any, messages: Sequence[Message], deadline: float) -> list[Position]:
        is_sent = False
        try:
            with self._alive(producer):
                futures = [
                    producer.send(
                        message.topic,
                        key=message.key_bytes,
                        value=message.value,
                        headers=list(message.headers),
                    )
                    for message in messages
                ]
            is_sent = True
            acked = [
                future.get(timeout=max(0.001, deadline - time.monotonic())) for future in futures
            ]
        except NOT_FATAL:
            raise
        except KafkaError as error:
            # Before that a timeout is of metadata: a topic is not there, the others need no other.
            if is_sent or not isinstance(error, KafkaTimeoutError):
                self._renew(producer)
            raise
        return [Position(done.topic, done.partition, done.offset) for done in acked]

    def _circuit(self, topic: str) -> Circuit:
        """One each: that a topic is not there, or its leader, says nothing of the others."""
        return self._circuits.setdefault(topic, Circuit("the log", KafkaError))

    def close(self) -> None:
        with self._lock:
            last, self._producer = self._producer, None
        if last:
            last.close(timeout=5)

    def _ready_producer(self) -> Any:
        if found := self._producer:
            return found
        with self._making:
            if self._producer is None:
                # Callers queue for the lock: only the first of them waits for brokers.
                if time.monotonic() < self._away_until:
                    raise Busy(AWAY)
                try:
                    self._producer = producer(self._bootstrap)
                except KafkaError:
                    self._away_until = time.monotonic() + AWAY_SECONDS
                    raise
            return self._producer

    @contextmanager
    def _alive(self, producer: Any) -> Iterator[None]:
        """kafka-python tells of a closed producer in two ways, and one is no ``KafkaError``."""
        try:
            yield
        except RuntimeError as error:
            self._renew(producer)
            raise IllegalStateError(str(error)) from error

    def _renew(self, broken: Any) -> None:
        """One that lost its sequence, or the ack of a batch, may never send again."""
        with self._lock:
            if self._producer is not broken:
                return
            self._producer = None
        logger.warning("producer replaced")
        threading.Thread(target=_give_up, args=(broken,), daemon=True).start()


def _give_up(broken: Any) -> None:
    """Its own close would first wait for a batch that it never sends, and then close nothing."""
    broken.flush = lambda timeout=None: None
    broken.close(timeout=1)


def _check_size(message: Message) -> None:
    size = len(message.key_bytes or b"") + len(message.value or b"")
    size += sum(len(name) + len(value) + 16 for name, value in message.headers)
    if size > (MOVED_BYTES_MAX if message.is_moved else MESSAGE_BYTES_MAX):
        raise Malformed(f"a message of {size} bytes is too large for the log")


def producer(bootstrap: str) -> Any:
    return open_client(
        KafkaProducer,
        bootstrap_servers=bootstrap.split(","),
        acks="all",
        enable_idempotence=True,  # said aloud: other settings turn it off silently
        linger_ms=0,
        max_request_size=MOVED_BYTES_MAX + 4096,  # frames and lengths on top
        delivery_timeout_ms=int(ACK_SECONDS_MAX * 1000),
        request_timeout_ms=int(BLOCK_SECONDS_MAX * 1000),
        max_block_ms=int(BLOCK_SECONDS_MAX * 1000),
        bootstrap_timeout_ms=int(BLOCK_SECONDS_MAX * 1000),  # 30 s by default
    )


def consumer(bootstrap: str, *, group: str, work_seconds_max: int) -> Any:
    """A member of *group*, not subscribed yet; it reads from the earliest record nobody committed.

    It leaves the group when it works for longer than *work_seconds_max* between two polls.
    """
    return open_client(
        KafkaConsumer,
        bootstrap_servers=bootstrap.split(","),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        max_poll_interval_ms=work_seconds_max * 1000,
        max_poll_records=100,
        fetch_max_wait_ms=500,
    )


def open_client(kind: Any, *topics: str, **options: Any) -> Any:
    """A client of *kind*. When no broker answers, the library leaves its sockets open: we close."""
    _check_version()
    opened: list[Any] = []

    def client(**inner: Any) -> Any:
        opened.append(KafkaNetClient(**inner))
        return opened[0]

    try:
        reconnect = int(RECONNECT_SECONDS_MAX * 1000)
        return kind(kafka_client=client, reconnect_backoff_max_ms=reconnect, **options)
    except KafkaError:
        for each in opened:
            each.close()
        raise


def _check_version() -> None:
    version = tuple(int(part) for part in kafka.__version__.split(".")[:3])
    if not OLDEST <= version < (3, 1):
        raise SystemExit(f"kafka-python {kafka.__version__} is not one we rely on: run make setup")
