"""Kafka topics as Lambda sees them (AWS-CONTRACTS section 3): one function per consumer group.

Each takes an MSK or self-managed Kafka event and returns ``batchItemFailures`` in Kafka's object
form: the first record of each partition to deliver again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hoist import wiring
from hoist.domain.archives import archive_requested_from_json
from hoist.domain.messages import ARCHIVES_GROUP, GROUPS, METADATA_GROUP, envelope_from_json
from hoist.domain.metadata import metadata_event_from_json
from hoist.domain.ports import Received


def upload_premium(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """hoist.ingest.premium: sign an upload URL for each request."""
    return _upload(event, "premium")


def upload_basic(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """hoist.ingest.basic: sign an upload URL for each request."""
    return _upload(event, "basic")


def metadata(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """hoist.metadata: keep the record of each file."""
    services = wiring.services()
    delivery = services.delivery(METADATA_GROUP)
    return failures(
        delivery.run(list(received(event)), metadata_event_from_json, services.apply_metadata)
    )


def archives(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """hoist.archives: build each zip. Needs batch size 1, and 14 minutes."""
    services = wiring.services()
    delivery = services.delivery(ARCHIVES_GROUP)
    return failures(
        delivery.run(list(received(event)), archive_requested_from_json, services.build_archives)
    )


def _upload(event: Mapping[str, Any], lane: str) -> dict[str, Any]:
    services = wiring.services()
    delivery = services.delivery(GROUPS[lane])
    return failures(
        delivery.run(
            list(received(event)),
            envelope_from_json,
            services.grant_uploads,
            services.tell_delayed,
        )
    )


def received(event: Mapping[str, Any]) -> Iterator[Received]:
    """The records of a Kafka event, in partition order, bytes as they were produced."""
    for records in event["records"].values():
        for record in records:
            value = record.get("value")
            key = record.get("key")
            yield Received(
                topic=record["topic"],
                partition=record["partition"],
                offset=record["offset"],
                timestamp_ms=record.get("timestamp") or 0,
                key=base64.b64decode(key) if key is not None else None,
                value=base64.b64decode(value) if value is not None else None,
                headers=tuple(
                    (name, _unsigned(numbers))
                    for header in record.get("headers") or ()
                    for name, numbers in header.items()
                ),
            )


def _unsigned(numbers: Sequence[int]) -> bytes:
    """Lambda gives header bytes as signed numbers; ``bytes`` refuses those below zero."""
    try:
        return bytes(numbers)
    except ValueError:
        return bytes(byte & 0xFF for byte in numbers)


def failures(records: list[Received]) -> dict[str, Any]:
    """The answer that has *records*, and in their partitions all after them, delivered again."""
    lowest: dict[str, int] = {}
    for record in records:
        partition = f"{record.topic}-{record.partition}"
        lowest[partition] = min(record.offset, lowest.get(partition, record.offset))
    return {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": partition, "offset": offset}}
            for partition, offset in lowest.items()
        ]
    }
