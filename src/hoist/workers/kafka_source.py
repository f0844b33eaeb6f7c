"""Kafka to a function, as Lambda's event source mapping does it (AWS-CONTRACTS section 3).

Offsets are committed after the function, up to the first record it wants again.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

logger = logging.getLogger(__name__)
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
POLL_MS, BATCH_MAX, BACKOFF_SECONDS_MAX = 500, 100, 5.0


def run(consumer: KafkaConsumer, handler: Handler, stopping: threading.Event, servers: str) -> None:
    """Poll, call, commit, until *stopping* is set. Leaves the group on the way out."""
    backoff = 0.0
    try:
        while not stopping.is_set():
            polled = consumer.poll(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            if not polled:
                continue
            again = _call(handler, lambda_event(polled, servers), polled)
            _commit(consumer, polled, again)
            backoff = min(max(backoff * 2, 0.1), BACKOFF_SECONDS_MAX) if again else 0.0
            stopping.wait(backoff)
    finally:
        consumer.close()


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
            {name: [byte - 256 if byte > 127 else byte for byte in value or b""]}
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


def _commit(
    consumer: KafkaConsumer,
    polled: Mapping[TopicPartition, Sequence[Any]],
    again: Mapping[str, int],
) -> None:
    offsets = {}
    for partition, records in polled.items():
        wanted = again.get(_name(partition))
        if wanted is not None:
            consumer.seek(partition, wanted)
        following = records[-1].offset + 1 if wanted is None else wanted
        if following > records[0].offset:
            offsets[partition] = OffsetAndMetadata(following, "", records[-1].leader_epoch)
    if not offsets:
        return
    try:
        consumer.commit(offsets)
    except (CommitFailedError, KafkaError) as error:
        # The partitions moved on, or the broker is away: the batch is delivered again, harmlessly.
        logger.warning("commit refused", extra={"reason": repr(error)})
