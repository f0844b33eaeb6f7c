"""S3's ObjectCreated notifications, from SQS (AWS-CONTRACTS section 4)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from hoist import telemetry, wiring
from hoist.domain.errors import Unavailable
from hoist.pipeline.completion import ArrivedObject

logger = logging.getLogger(__name__)
# What a message of any bytes makes of reading it.
NO_NOTIFICATION = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def bucket_events(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Report arrived objects; messages of unknown owners come back in ``batchItemFailures``.

    A message that is no S3 notification stays in the queue too: after its last delivery the
    queue's redrive policy keeps it in the dead letter queue, as it was.
    """
    arrived: list[ArrivedObject] = []
    message_of: dict[ArrivedObject, str] = {}
    failed: set[str] = set()
    telemetry.bind(None)
    for record in event["Records"]:
        try:
            found = list(arrived_objects(json.loads(record["body"])))
        except NO_NOTIFICATION:
            logger.exception("not an S3 notification", extra={"messageId": record["messageId"]})
            failed.add(record["messageId"])
            continue
        arrived += found
        message_of |= dict.fromkeys(found, record["messageId"])
    try:
        failed |= {message_of[item] for item in wiring.services().complete_uploads(arrived)}
    except Unavailable as error:
        logger.warning("batch put back", extra={"reason": str(error), "records": len(arrived)})
        failed |= set(message_of.values())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(failed)]}


def arrived_objects(notification: Mapping[str, Any]) -> Iterator[ArrivedObject]:
    """The created objects of one notification, of any 2.x version; ``s3:TestEvent`` has none."""
    for record in notification.get("Records", ()):
        if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            continue
        described = record["s3"]["object"]
        at = datetime.fromisoformat(record["eventTime"].replace("Z", "+00:00"))
        yield ArrivedObject(
            key=unquote_plus(described["key"]),
            size=int(described["size"]),
            etag=described["eTag"].strip('"'),
            stored_at_ms=int(at.timestamp() * 1000),
        )
