"""Where a process can be made to end: right before and right after it does something to the world.

``before:NAME`` is reached when it is about to, ``after:NAME`` when it is done and nobody here knows
it yet. A call that has nothing to do, of no messages or no rows, reaches neither.

log.append      messages in the log, acknowledged
retry.publish   the same, to a topic of retries
dlq.publish     the same, to one of dead letters
store.write     rows in the store
quota.reserve   of those, an account alone: room reserved, or given back by the janitor
quota.release   of those, an account with a file that waits for its bytes no more
store.count     a link's download counted
objects.sign    a PUT signed
objects.discard an object deleted
parts.begin     an upload in parts begun, joined, given up
parts.join
parts.abort
parts.sign      a part's PUT signed
answers.put     what a messageId was answered with, remembered
events.publish  what clients hear, pushed
cache.invalidate
leases.hold     uploads in flight, counted
leases.free
offsets.commit  what was read from the log is done
sqs.delete      what was read from the queue is done
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Named = Callable[[Any], set[str]]


@dataclass(frozen=True)
class Effect:
    """A method, or function, and what it is called by its first argument."""

    module: str
    path: str
    named: Named


def _always(name: str) -> Named:
    return lambda argument: {name}


def log_names(messages: Any) -> set[str]:
    return {_log_name(message.topic) for message in messages}


def _log_name(topic: str) -> str:
    if ".retry-" in topic:
        return "retry.publish"
    return "dlq.publish" if topic.endswith(".dlq") else "log.append"


def store_names(changes: Any) -> set[str]:
    names = {"store.write"}
    for change in changes:
        kinds = {type(row).__name__: row for row in change}
        if kinds.keys() == {"Account"}:
            names.add("quota.reserve")
        elif "Account" in kinds and any(_is_settled(row) for row in change):
            names.add("quota.release")
    return names


def _is_settled(row: Any) -> bool:
    return type(row).__name__ == "FileRecord" and row.status.value != "pending"


EFFECTS = (
    Effect("hoist.adapters.kafka", "KafkaLog.append", log_names),
    Effect("hoist.adapters.dynamodb", "DynamoMetadata.write", store_names),
    Effect("hoist.adapters.sql", "SqlMetadata.write", store_names),
    Effect("hoist.adapters.dynamodb", "DynamoMetadata.count_download", _always("store.count")),
    Effect("hoist.adapters.sql", "SqlMetadata.count_download", _always("store.count")),
    Effect("hoist.adapters.s3", "S3Objects.sign_put", _always("objects.sign")),
    Effect("hoist.adapters.s3", "S3Objects.discard", _always("objects.discard")),
    Effect("hoist.adapters.s3_parts", "S3Parts.begin", _always("parts.begin")),
    Effect("hoist.adapters.s3_parts", "S3Parts.join", _always("parts.join")),
    Effect("hoist.adapters.s3_parts", "S3Parts.abort", _always("parts.abort")),
    Effect("hoist.adapters.s3_parts", "S3Parts.sign_part", _always("parts.sign")),
    Effect("hoist.adapters.redis_state", "RedisAnswers.put_many", _always("answers.put")),
    Effect("hoist.adapters.redis_stream", "RedisEvents.publish", _always("events.publish")),
    Effect("hoist.adapters.apigateway", "ApiGatewayEvents.publish", _always("events.publish")),
    Effect("hoist.adapters.redis_state", "RedisListCache.invalidate", _always("cache.invalidate")),
    Effect("hoist.adapters.redis_uploads", "RedisLeases.hold", _always("leases.hold")),
    Effect("hoist.adapters.redis_uploads", "RedisLeases.free", _always("leases.free")),
    # Not our own commit: that is called at each poll, mostly with nothing to say.
    Effect("kafka.consumer.group", "KafkaConsumer.commit", _always("offsets.commit")),
    Effect("hoist.workers.sqs_source", "_delete", _always("sqs.delete")),
)
NAMES = (
    *("log.append", "retry.publish", "dlq.publish"),
    *("store.write", "quota.reserve", "quota.release", "store.count"),
    *("objects.sign", "objects.discard"),
    *("parts.begin", "parts.join", "parts.abort", "parts.sign"),
    *("answers.put", "events.publish", "cache.invalidate", "leases.hold", "leases.free"),
    *("offsets.commit", "sqs.delete"),
)
POINTS = tuple(f"{when}:{name}" for name in NAMES for when in ("before", "after"))


def check(point: str, count: int) -> None:
    """Raises ``ValueError`` when there is no such point, or it is never reached so often."""
    if point not in POINTS:
        raise ValueError(f"there is no point {point!r}; these are: {', '.join(POINTS)}")
    if count < 1:
        raise ValueError("a point is reached once at least")
