"""SQS to a function, as Lambda's event source mapping does it.

Messages the function did not name as failed are deleted; the others come back by themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
Call = Callable[..., dict[str, Any]]  # an operation of SQS by its name
WAIT_SECONDS, BATCH_MAX = 2, 10


def run(
    call: Call,
    queue: str,
    handler: Handler,
    stopping: threading.Event,
    is_up: Callable[[], bool],
) -> None:
    """Receive, call, delete, until *stopping* is set.

    Each time a message is received counts, and there is a last one: after a failure nothing is
    taken until *is_up*.
    """
    url = arn = ""
    while not stopping.is_set():
        try:
            if not url:
                url = call("GetQueueUrl", QueueName=queue)["QueueUrl"]
                told = call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
                arn = told["Attributes"]["QueueArn"]
            messages = call(
                "ReceiveMessage",
                QueueUrl=url,
                MaxNumberOfMessages=BATCH_MAX,
                WaitTimeSeconds=WAIT_SECONDS,
                AttributeNames=["All"],
            ).get("Messages", [])
            if messages:
                failed = _failed(handler, messages, arn)
                _delete(call, url, messages, failed)
                while failed and not is_up():
                    if stopping.wait(1):
                        return
        except (BotoCoreError, ClientError) as error:
            logger.warning("queue unavailable", extra={"reason": repr(error)})
            stopping.wait(1)


def lambda_event(messages: list[dict[str, Any]], arn: str) -> dict[str, Any]:
    """*messages* as the event an SQS source sends."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": arn.split(":")[3],
            }
            for message in messages
        ]
    }


def _failed(handler: Handler, messages: list[dict[str, Any]], arn: str) -> set[str]:
    try:
        failures = handler(lambda_event(messages, arn), None)["batchItemFailures"]
    except Exception:
        # As on AWS, an exception means the whole batch; the function's own log says why.
        logger.exception("function failed")
        return {message["MessageId"] for message in messages}
    return {failure["itemIdentifier"] for failure in failures}


def _delete(call: Call, url: str, messages: list[dict[str, Any]], failed: set[str]) -> None:
    done = [message for message in messages if message["MessageId"] not in failed]
    if done:
        call(
            "DeleteMessageBatch",
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(done)
            ],
        )
