"""The queue of the bucket's events, as operators look at it.

IAM      sqs:GetQueueUrl, GetQueueAttributes on the queue and on its dead letter queue
"""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from hoist.adapters.aws import temporary_failures
from hoist.adapters.aws_json import JsonCalls
from hoist.domain.errors import Unavailable


def dead_letters(call: JsonCalls, queue: str) -> int:
    """About how many messages its redrive policy has moved and nobody has taken; 0 without one.

    Raises ``Unavailable``, also when we may not look.
    """
    try:
        with temporary_failures("the queue"):
            policy = _attribute(call, queue, "RedrivePolicy")
            if policy is None:
                return 0
            name = json.loads(policy)["deadLetterTargetArn"].rpartition(":")[2]
            return int(_attribute(call, name, "ApproximateNumberOfMessages") or 0)
    except ClientError as error:
        raise Unavailable(f"the queue {queue} tells us nothing of its dead letters") from error


def _attribute(call: JsonCalls, queue: str, name: str) -> str | None:
    url = call("GetQueueUrl", QueueName=queue)["QueueUrl"]
    told = call("GetQueueAttributes", QueueUrl=url, AttributeNames=[name])
    found: str | None = told.get("Attributes", {}).get(name)
    return found
