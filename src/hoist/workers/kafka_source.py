"""Kafka to a function, as Lambda's event source mapping does it (AWS-CONTRACTS section 3).

Offsets are committed after the function, up to the first record it wants again.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import RetriableError

from hoist.workers.offsets import Offsets
from hoist.workers.watchdog import Stuck, Watchdog

logger = logging.getLogger(__name__)
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
POLL_MS, BACKOFF_SECONDS_MAX = 500, 5.0
CLOSE_MS_MAX = 1_500


def run(
    consumer: KafkaConsumer,
    topics: Sequence[str],
    handler: Handler,
    stopping: threading.Event,
    servers: str,
    batch_max: int,
) -> None:
    """Subscribe to *topics*; poll, call, commit, until *stopping* is set; then leave the group.

    While the log is away, it goes on polling. Raises ``Stuck`` when the library forgot a partition.
    """
    backoff = 0.0
    offsets = Offsets(consumer, topics)
    watchdog = Watchdog(consumer)
    try:
        while not stopping.is_set():
            if not offsets.due_in_seconds:
                offsets.commit()
            wait_ms = min(POLL_MS, 1000 * offsets.due_in_seconds)
            began = time.monotonic()
            try:
                polled = consumer.poll(timeout_ms=wait_ms, max_records=batch_max)
            except RetriableError as error:
                # While the broker is gone, the library lets out some of what it should try again.
                logger.warning("log not read", extra={"reason": repr(error)})
                polled = {}
                stopping.wait(POLL_MS / 1000)
            watchdog.polled(polled, time.monotonic() - began)
            watchdog.look(offsets.held)
            if not polled:
                continue
            offsets.begin()
            again = _call(handler, lambda_event(polled, servers), polled)
            _settle(consumer, offsets, polled, again)
            if again or batch_max == 1:  # whatever follows may take minutes
                offsets.commit()
            backoff = min(max(backoff * 2, 0.1), BACKOFF_SECONDS_MAX) if again else 0.0
            stopping.wait(backoff)
    except Stuck as stuck:
        logger.critical("partition stuck", extra={"reason": str(stuck)})
        raise
    finally:
        offsets.commit()
        consumer.close(timeout_ms=CLOSE_MS_MAX)


def lambda_event(polled: Mapping[TopicPartition, Sequence[Any]], servers: str) -> dict[str, Any]:
    """*polled* as the event a self-managed Kafka source sends."""
    return {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": servers,
        "records": {
            _name(partition): [_record(record) for record in records]
            for partition, records in polled.items()
        },
    }


def _record(record: Any) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestampType": "CREATE_TIME" if record.timestamp_type == 0 else "LOG_APPEND_TIME",
        "key": _base64(record.key),
        "value": _base64(record.value),
        "headers": [
            # Signed numbers, as Java has them: "b".
            {name: memoryview(value or b"").cast("b").tolist()}
            for name, value in record.headers
        ],
    }


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}-{partition.partition}"


def _call(
    handler: Handler, event: dict[str, Any], polled: Mapping[TopicPartition, Sequence[Any]]
) -> dict[str, int]:
    """Where each partition wants to be delivered again; everything, when the function raised."""
    try:
        failures = handler(event, None).get("batchItemFailures") or []
    except Exception:
        # As on AWS, an exception means the whole batch; the function's own log says why.
        logger.exception("function failed")
        return {_name(partition): records[0].offset for partition, records in polled.items()}
    return {
        failure["itemIdentifier"]["partition"]: failure["itemIdentifier"]["offset"]
        for failure in failures
    }


def _settle(
    consumer: KafkaConsumer,
    offsets: Offsets,
    polled: Mapping[TopicPartition, Sequence[Any]],
    again: Mapping[str, int],
) -> None:
    """Note what is done of *polled*, and go back to what is wanted *again*."""
    for partition, records in polled.items():
        wanted = again.get(_name(partition))
        if wanted is not None:
            consumer.seek(partition, wanted)
        following = records[-1].offset + 1 if wanted is None else wanted
        if following > records[0].offset:
            offsets.done(partition, following, records[-1].leader_epoch)
