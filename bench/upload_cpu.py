"""CPU of our own processes per upload, beside what no design could do without.

That is a presigned URL, a row put into the table and a record produced to Kafka, by boto3 and
kafka-python, in one process. Ours are gateways and workers; engines and clients count for nobody.
The same for uploads of 100 MB and of 4 KB: bytes never pass through us. There, they come one after
another, small ones at the pace of the large ones, so that each is a batch of its own on both sides;
and what our processes use while the same bytes are PUT without us is taken off.
"""

from __future__ import annotations

import math
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
from bench.together import paced, together
from bench.uploading import BarePuts, Storage, Uploader
from emulation import provision

SATURATED, SMALL, LARGE = 64, 4_096, 100_000_000


def against_floor(target: Target) -> list[Row]:
    """Needs the DynamoDB store: of another one this floor says nothing."""
    count = target.count(256, 2)
    with _floor(target) as once, _uploads(target, count) as ours:

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
    """What our processes use for an upload, without what they use for the same PUT anyhow."""
    count, gap, pairs = target.count(16, 2), 0.0, []

    def large() -> Side:
        nonlocal gap
        ours, without = _one_by_one(target, LARGE, count)
        gap = ours.seconds / count
        return _of_uploads_alone(ours, without)

    def small() -> Side:
        return _of_uploads_alone(*_one_by_one(target, SMALL, count, gap))

    pairs = interleaved(target, small, large)  # the pair that counts for nothing tells the gap
    used = [(one.cpu_ms("ours"), other.cpu_ms("ours")) for other, one in pairs]
    # Less than nothing is chance, and proves no goal.
    ratios = [one / other if min(one, other) > 0 else math.inf for one, other in used]
    middles = [statistics.median(pair[number] for pair in used) for number in (0, 1)]
    detail = f"{middles[0]:.1f} ms and {middles[1]:.1f} ms"
    what = "CPU of our processes per upload, 100 MB / 4 KB"
    return [Row("cpu-size", what, ratios, 1.1, is_most=True, detail=detail)]


def _one_by_one(target: Target, size: int, count: int, gap: float = 0.0) -> tuple[Side, Side]:
    """Uploads that begin *gap* apart or, if that is too soon, when the one before has ended.

    And as many bare PUTs, in the same time.
    """
    body = os.urandom(size)
    uploader, storage = Uploader(target, target.user()), Storage(target.environment)
    bare = BarePuts(target, body)
    try:
        ours = measure(target, count, lambda: paced(count, gap, lambda _: uploader.upload(body)))
        target.empty()
        gap = gap or ours.seconds / count
        bare_puts = measure(target, count, lambda: paced(count, gap, lambda _: bare.put(storage)))
    finally:
        bare.delete()
        uploader.close()
        storage.close()
    return ours, bare_puts


def _of_uploads_alone(ours: Side, without: Side) -> Side:
    """*ours*, less what our processes used in as much time *without* an upload."""
    cpu = ours.cpu_ms(*OURS) - without.cpu_ms(*OURS) * ours.span / without.span
    return Side(ours.count, ours.seconds, {"ours": cpu * ours.count / 1e3}, ours.span)


@contextmanager
def _uploads(target: Target, count: int) -> Iterator[Callable[[], Side]]:
    """Small ones, as many as go."""
    body = os.urandom(SMALL)
    uploaders = [Uploader(target, user) for user in target.users(min(SATURATED, count))]
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
