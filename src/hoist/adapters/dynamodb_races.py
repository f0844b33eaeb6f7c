"""When several write the same rows of DynamoDB at once: who lost, and who may try again."""

from __future__ import annotations

import random
import time

from botocore.exceptions import ClientError

LASTING = ("ValidationError", "ItemCollectionSizeLimitExceeded")  # no later attempt fits


def pause(attempt: int) -> None:
    """Somebody else's transaction was in the way: not all of us may come back at once."""
    time.sleep(random.uniform(0.5, 1.5) * 0.02 * 2**attempt)


def reasons_of(error: ClientError) -> list[str]:
    """Why each row was not written. Raises *error* again when it is about something else."""
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ["ConditionalCheckFailed"]
    if code == "TransactionConflictException":  # of a single put, beside somebody's transaction
        return ["TransactionConflict"]
    if code != "TransactionCanceledException":
        raise error
    reasons = [str(reason.get("Code", "None")) for reason in error.response["CancellationReasons"]]
    if any(reason in LASTING for reason in reasons):
        raise error
    return reasons
