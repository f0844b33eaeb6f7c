"""CPU of our own processes per upload, beside what no design could do without.

That is a presigned URL, a row put into the table and a record produced to Kafka, by boto3 and
kafka-python, in one process. Ours are gateways and workers; engines and clients count for nobody.
The same for uploads of 100 MB and of 4 KB: bytes never pass through us. There, what our processes
use when nobody asks for anything is taken off for the time that both take: 100 MB take long.
"""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from bench.pairs import OURS, Side, cpu_of, interleaved, measure
from bench.row import Row
from bench.target import Target
from bench.together import together
from bench.uploading import Uploader
from emulation import provision

SATURATED, AT_ONCE, SMALL, LARGE, REST_SECONDS = 64, 16, 4_096, 100_000_000, 5.0


def against_floor(target: Target) -> list[Row]:
    """Needs the DynamoDB store: of another one this floor says nothing."""
    count = target.count(256, 2)
    with _floor(target) as once, _uploads(target, SMALL, count, SATURATED) as ours:

        def floor() -> Side:
            began, used = time.perf_counter(), time.process_time()
            for _ in range(count):
                once()
            cpu = {"bench": time.process_time() - used}
            return Side(count, time.perf_counter() - began, cpu)

        pairs = interleaved(target, ours, floor)
    ratios = [whole.cpu_ms(*OURS) / bare.cpu_ms("bench") for whole, bare in pairs]
    what = "CPU of our processes per upload / presign, put and produce"
    floor_ms = pairs[0][1].cpu_ms("bench")
    detail = f"CPU ms each: {cpu_of([one for one, _ in pairs])}; floor {floor_ms:.2f}"
    return [Row("cpu", what, ratios, 2, is_most=True, detail=detail)]


def of_large_and_small(target: Target) -> list[Row]:
    few, many = target.count(16, 2), target.count(64, 2)
    rest = measure(target, 1, lambda: time.sleep(REST_SECONDS))
    idle = rest.cpu_ms(*OURS) / rest.span  # milliseconds a second

    def used(side: Side) -> float:
        return max(0.0, side.cpu_ms(*OURS) - idle * side.span / side.count)

    sides = _uploads(target, LARGE, few, AT_ONCE), _uploads(target, SMALL, many, AT_ONCE)
    with sides[0] as large, sides[1] as small:
        pairs = interleaved(target, large, small)
    ratios = [used(one) / used(other) for one, other in pairs]
    what = "CPU of our processes per upload, 100 MB / 4 KB"
    middles = [statistics.median(used(pair[number]) for pair in pairs) for number in (0, 1)]
    detail = f"{middles[0]:.1f} ms and {middles[1]:.1f} ms; at rest {idle:.0f} ms a second"
    return [Row("cpu-size", what, ratios, 1.1, is_most=True, detail=detail)]


@contextmanager
def _uploads(target: Target, size: int, count: int, at_once: int) -> Iterator[Callable[[], Side]]:
    """As many as go, *at_once* of them at a time."""
    body = os.urandom(size)
    uploaders = [Uploader(target, user) for user in target.users(min(at_once, count))]
    works = [partial(uploader.upload, body) for uploader in uploaders]

    def side() -> Side:
        done = measure(target, count, lambda: together(works, count))
        target.empty()
        return done

    try:
        yield side
    finally:
        for uploader in uploaders:
            uploader.close()


@contextmanager
def _floor(target: Target) -> Iterator[Callable[[], None]]:
    """One presign, one put and one acknowledged record, with a table and a topic of its own."""
    environment, name = target.environment, f"bench-{secrets.token_hex(6)}"
    servers = environment["HOIST_KAFKA_BOOTSTRAP"]
    dynamodb: Any = provision.client("dynamodb", environment)
    s3: Any = provision.client("s3", environment)
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic(name, 4, 1)])
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)

    def once() -> None:
        key = secrets.token_hex(16)
        params = {"Bucket": environment["HOIST_BUCKET"], "Key": key, "ContentLength": SMALL}
        url = s3.generate_presigned_url("put_object", params, 900)
        dynamodb.put_item(TableName=name, Item={"id": {"S": key}, "url": {"S": url}})
        producer.send(name, key=key.encode(), value=url.encode()).get(30)

    try:
        yield once
    finally:
        producer.close()
        admin.delete_topics([name])
        admin.close()
        dynamodb.delete_table(TableName=name)
