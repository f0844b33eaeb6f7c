"""From users to what they need at the peak. Every rate is a second's, every size in bytes.

Machines and quotas are chosen for the peak; money and what is kept follow the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.capacity import aws, costs, people
from hoist.adapters.dynamodb_batches import TRANSACTION_ROWS
from hoist.adapters.dynamodb_items import SHARDS
from hoist.pipeline.janitor import BATCH as JANITOR_BATCH

DAY, MONTH_DAYS, MONTH_HOURS = 86_400, 30, 730
PARTITIONS_MIN = 4  # a topic, as emulation/provision.py makes them
COPIES = 3  # of each record: one a zone
OTHER_PARTITIONS = 4 + 5 * 5 + 1  # archives, five groups' retries and dead letters, decisions
S3_PREFIXES = 256  # files/00/ to files/ff/
REDIS_TRIPS = 10  # of one batch
SOCKET_COMMANDS = 5  # to note it, and to forget it
FULL_MAX = 0.75  # of a cache's memory; the rest is for failover and fragments


@dataclass(frozen=True)
class Rates:
    """How often things happen. ``day`` is a mean day's uploads, all else at the peak."""

    day: float
    uploads: float
    lists: float
    downloads: float
    sockets: float
    connects: float
    frames: float
    pushes: float

    @property
    def front(self) -> float:
        """What API Gateway counts against the account: frames, callbacks, connects, requests."""
        return self.frames + self.pushes + self.connects + self.lists + self.downloads


def rates(users: float) -> Rates:
    peak = people.PEAK_FACTOR / DAY
    day = users * people.UPLOADS_PER_USER_DAY
    uploads = day * peak
    sockets = users * people.CONNECTED_MINUTES_DAY / (DAY / 60) * people.PEAK_FACTOR
    return Rates(
        day=day,
        uploads=uploads,
        lists=users * people.LISTS_PER_USER_DAY * peak,
        downloads=uploads * people.DOWNLOADS_PER_UPLOAD,
        sockets=sockets,
        # As many come as go: each stays for its minutes.
        connects=sockets / (people.SOCKET_MINUTES * 60),
        frames=uploads * costs.FRAMES_PER_UPLOAD + 2 * sockets / people.PING_SECONDS,
        pushes=uploads * costs.PUSHES_PER_UPLOAD,
    )


def grant_ms(records: float) -> float:
    """How long the upload handler needs for a batch: CPU, and waits that grow with it or do not."""
    calls = 2 + math.ceil(records / TRANSACTION_ROWS)
    waits = calls * people.DYNAMODB_MS + people.KAFKA_MS + REDIS_TRIPS * people.REDIS_MS
    return waits + records * (costs.GRANT_CPU_MS + people.REDIS_MS)  # the rate limit, one by one


def metadata_ms(records: float) -> float:
    """The same for the metadata handler: a request writes one row, an arrival two."""
    calls = 2 + math.ceil(records * 1.5 / TRANSACTION_ROWS)
    waits = calls * people.DYNAMODB_MS + REDIS_TRIPS * people.REDIS_MS
    return waits + records * costs.METADATA_CPU_MS


def bucket_ms(records: float) -> float:
    waits = people.KAFKA_MS + REDIS_TRIPS * people.REDIS_MS
    return waits + records * costs.BUCKET_CPU_MS


def frame_ms() -> float:
    """One upload at the front: a frame, its append, its events; should functions do that."""
    return costs.GATEWAY_CPU_MS + people.KAFKA_MS + 3 * people.REDIS_MS


def partitions(per_second: float, batch_ms: float) -> int:
    """One function at a time reads a partition; at the peak it is to be half idle."""
    one = aws.LAMBDA_BATCH / (batch_ms / 1000) * people.BUSY_MAX
    return max(PARTITIONS_MIN, math.ceil(per_second / one))


@dataclass(frozen=True)
class Needs:
    """What to have ready for the peak."""

    rates: Rates
    lanes: tuple[int, int]  # partitions: basic, premium
    metadata: int
    concurrency: float
    pollers: int
    brokers: int
    kafka_bytes: float
    log_bytes_year: float
    wcu: float
    rcu: float
    due_wcu: float
    redis_ops: float
    redis_bytes: float
    caches: int
    s3_puts: float
    abandoned: float  # a second, in the mean: the janitor may catch up at night


def needs(users: float) -> Needs:
    now = rates(users)
    basic = partitions(now.uploads * (1 - people.PREMIUM_SHARE), grant_ms(aws.LAMBDA_BATCH))
    premium = partitions(now.uploads * people.PREMIUM_SHARE, grant_ms(aws.LAMBDA_BATCH))
    metadata = partitions(now.uploads * 2, metadata_ms(aws.LAMBDA_BATCH))
    kafka = now.uploads * (costs.LANE_BYTES_PER_UPLOAD + costs.METADATA_BYTES_PER_UPLOAD)
    misses = now.lists * (1 - people.LIST_HIT_SHARE)
    commands, kept = redis_commands(now), redis_bytes(users, now)
    return Needs(
        rates=now,
        lanes=(basic, premium),
        metadata=metadata,
        concurrency=kafka_concurrency(now) + front_concurrency(now),
        pollers=pollers(now, kafka),
        brokers=brokers(kafka, basic + premium + metadata + OTHER_PARTITIONS),
        kafka_bytes=kafka,
        log_bytes_year=now.day * 365 * costs.METADATA_BYTES_PER_UPLOAD * COPIES,
        wcu=now.uploads * costs.WCU_PER_UPLOAD,
        rcu=now.uploads * costs.RCU_PER_UPLOAD + misses * costs.RCU_PER_PAGE,
        due_wcu=now.uploads * costs.WCU_DUE_PER_UPLOAD / SHARDS,
        redis_ops=commands,
        redis_bytes=kept,
        caches=caches(commands, kept),
        s3_puts=now.uploads * costs.S3_PUTS_PER_UPLOAD / S3_PREFIXES,
        abandoned=now.day / DAY * people.ABANDONED_SHARE,
    )


def brokers(bytes_per_second: float, count: int) -> int:
    """As many in each of three zones as bytes or partitions need."""
    by_bytes = bytes_per_second / aws.BROKER_BYTES
    by_replicas = count * COPIES / aws.BROKER_REPLICAS
    return COPIES * max(1, math.ceil(max(by_bytes, by_replicas) / COPIES))


def redis_commands(now: Rates) -> float:
    hits = now.lists * people.LIST_HIT_SHARE
    return (
        now.uploads * costs.REDIS_OPS_PER_UPLOAD
        + now.pushes  # which sockets an event goes to
        + hits * costs.REDIS_OPS_PER_HIT
        + (now.lists - hits) * costs.REDIS_OPS_PER_MISS
        + now.connects * SOCKET_COMMANDS
    )


def redis_bytes(users: float, now: Rates) -> float:
    """Answers and events are kept for a day, so the peak adds only sockets."""
    return (
        now.day * costs.REDIS_BYTES_PER_UPLOAD
        + users * people.ACTIVE_SHARE * costs.REDIS_BYTES_PER_USER
        + now.sockets * costs.REDIS_BYTES_PER_SOCKET
    )


def caches(commands: float, kept: float) -> int:
    """Primaries."""
    by_bytes, by_commands = kept / (aws.CACHE_BYTES * FULL_MAX), commands / aws.CACHE_OPS
    return max(1, math.ceil(by_bytes), math.ceil(by_commands))


def kafka_concurrency(now: Rates) -> float:
    """Functions at work on the log and the queue: what arrives in a second, times its seconds."""
    batch, few = aws.LAMBDA_BATCH, aws.SQS_BATCH
    each = grant_ms(batch) / batch + 2 * metadata_ms(batch) / batch + bucket_ms(few) / few
    return now.uploads * each / 1000


def front_concurrency(now: Rates) -> float:
    seconds = now.uploads * frame_ms() + (now.lists + now.downloads) * (
        costs.GATEWAY_CPU_MS + people.DYNAMODB_MS
    )
    return seconds / 1000


def pollers(now: Rates, kafka_bytes: float) -> int:
    """For three sources: by bytes, or by calls at once."""
    by_bytes = kafka_bytes / aws.POLLER_BYTES
    by_calls = kafka_concurrency(now) / aws.POLLER_CALLS
    return max(3, math.ceil(max(by_bytes, by_calls) / people.BUSY_MAX))


def hot_user() -> float:
    """Uploads a second of one user, before its partition of the table is full."""
    return aws.KEY_WCU / costs.WCU_HOT_USER


def files_per_user() -> float:
    """Before its rows and their local indexes are at their limit."""
    return aws.COLLECTION_BYTES / costs.COLLECTION_BYTES_PER_FILE


def janitor_per_second() -> float:
    """Abandoned uploads that one tick after the other settles on AWS."""
    return JANITOR_BATCH * aws.TICKS_PER_MINUTE / 60
