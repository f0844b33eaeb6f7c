"""From the end of the PUT to ``upload.stored``, beside a bare S3 event received from SQS.

One file after another, twenty on each side in turn. The bare side has a bucket and a queue of its
own, and a receiver that waits in a long poll, as ours does.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.pairs import Side, cpu_of, interleaved, measured
from bench.row import Row
from bench.target import Target
from bench.together import each
from bench.uploading import Uploader
from emulation import provision

FILES, BODY = 20, b"0123456789abcdef" * 256


def run(target: Target) -> list[Row]:
    count = target.count(FILES, 2)
    uploader = Uploader(target, target.user())
    medians: dict[str, list[float]] = {"ours": [], "bare": []}

    def side(name: str, once: Callable[[], float]) -> Side:
        times, done = measured(target, count, lambda: [once() for _ in range(count)])
        medians[name].append(statistics.median(times))
        return done

    try:
        with _bare(target) as received:
            pairs = interleaved(
                target,
                lambda: side("ours", lambda: uploader.upload(BODY)[1]),
                lambda: side("bare", received),
            )
    finally:
        uploader.close()
    ours, bare = (medians[name][1:] for name in ("ours", "bare"))  # the first warmed up
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    took = (
        f"{statistics.median(ours) * 1e3:.1f} ms, S3 to SQS {statistics.median(bare) * 1e3:.1f} ms"
    )
    detail = f"{took}; CPU ms each: {cpu_of([one for one, _ in pairs])}"
    what = "p50 from PUT to upload.stored / from PUT to SQS receive"
    return [Row("stored", what, ratios, 1.5, is_most=True, detail=detail)]


@contextmanager
def _bare(target: Target) -> Iterator[Callable[[], float]]:
    """PUT an object; seconds from its end until the event was received."""
    name = f"bench-{secrets.token_hex(6)}"
    s3: Any = provision.client("s3", target.environment)
    sqs: Any = provision.client("sqs", target.environment)
    provision.create_bucket(target.environment, name, name)
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def put(key: str) -> float:
        s3.put_object(Bucket=name, Key=key, Body=BODY)
        return time.perf_counter()

    def receive(key: str) -> float:
        while True:
            got = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2, MaxNumberOfMessages=10)
            now = time.perf_counter()
            for message in got.get("Messages", []):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                if key in message["Body"]:
                    return now

    def once() -> float:
        key = f"files/{secrets.token_hex(8)}"
        at, sent = each([lambda: receive(key), lambda: put(key)])
        s3.delete_object(Bucket=name, Key=key)
        return max(0.0, at - sent)

    try:
        yield once
    finally:
        s3.delete_bucket(Bucket=name)
        for each_queue in (name, f"{name}-dlq"):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=each_queue)["QueueUrl"])
