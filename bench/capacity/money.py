"""Dollars a month, by what they are for. Paid is the mean, but for machines that wait for peaks."""

from __future__ import annotations

from bench.capacity import aws, costs, people
from bench.capacity.model import (
    COPIES,
    MONTH_DAYS,
    MONTH_HOURS,
    front_concurrency,
    kafka_concurrency,
    needs,
)

GB, MILLION = 1e9, 1e6


def month(users: float) -> dict[str, float]:
    """The first month: what is kept for ever costs more each month."""
    need = needs(users)
    now, uploads = need.rates, need.rates.day * MONTH_DAYS
    millions = uploads / MILLION
    lists = users * people.LISTS_PER_USER_DAY * MONTH_DAYS / MILLION
    downloads = millions * people.DOWNLOADS_PER_UPLOAD
    minutes = users * people.CONNECTED_MINUTES_DAY * MONTH_DAYS / MILLION
    pings = 2 * minutes * 60 / people.PING_SECONDS
    messages = millions * (costs.FRAMES_PER_UPLOAD + costs.PUSHES_PER_UPLOAD) + pings
    seconds = (kafka_concurrency(now) + front_concurrency(now)) / people.PEAK_FACTOR
    calls = messages + lists + downloads + millions * (3 / 2 + 1 / aws.SQS_BATCH)
    rcu = millions * costs.RCU_PER_UPLOAD
    rcu += lists * (1 - people.LIST_HIT_SHARE) * costs.RCU_PER_PAGE
    kept = uploads * costs.METADATA_BYTES_PER_UPLOAD * COPIES / GB
    return {
        "sockets and requests": messages * aws.WS_MESSAGES
        + minutes * aws.WS_MINUTES
        + (lists + downloads) * aws.HTTP_REQUESTS,
        "functions": seconds * MONTH_HOURS * 3600 * aws.LAMBDA_SECONDS + calls * aws.LAMBDA_CALLS,
        "pollers": need.pollers * MONTH_HOURS * aws.POLLER_HOUR,
        "MSK": need.brokers * MONTH_HOURS * aws.BROKER_HOUR + kept * aws.BROKER_GB_MONTH,
        "DynamoDB": millions * costs.WCU_PER_UPLOAD * aws.WRITES
        + rcu * aws.READS
        + uploads * costs.DYNAMODB_BYTES_PER_FILE / GB * aws.TABLE_GB_MONTH,
        "Redis, each with a replica": 2 * need.caches * MONTH_HOURS * aws.CACHE_HOUR,
        "S3 requests and SQS": millions * costs.S3_PUTS_PER_UPLOAD * aws.PUTS
        + downloads * aws.GETS
        + millions * (1 + 2 / aws.SQS_BATCH) * aws.SQS_REQUESTS,
        "logs": uploads * costs.LOG_BYTES_PER_UPLOAD / GB * aws.LOG_GB,
        "the files themselves, each month they are kept": uploads
        * people.FILE_BYTES
        / GB
        * aws.S3_GB_MONTH,
        "the downloads' bytes": downloads * MILLION * people.FILE_BYTES / GB * aws.TRANSFER_GB,
    }
