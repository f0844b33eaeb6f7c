"""The whole path of an upload beside a bare PUT to the same bucket.

Both sides run in turn, 16 at a time, in several pairs; told is the throughput of the whole path
divided by that of the bare PUT, as median, minimum and maximum.
"""

from __future__ import annotations

import io
import os
import secrets
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from emulation import provision
from hoist.client import Client, Issuer, StaticToken

PAIRS, AT_ONCE = 5, 16


def run(environment: Mapping[str, str], name: str, size: int, count: int) -> str:
    """One line with the ratio."""
    issuer = Issuer(environment["HOIST_ISSUER"], audience=environment["HOIST_AUDIENCE"])
    token = StaticToken(issuer.password("grace", "grace").access_token)
    s3 = provision.client("s3", environment)
    body = os.urandom(size)
    with Client(environment["HOIST_URL"].split(","), token) as client:

        def whole() -> None:
            client.upload(io.BytesIO(body), name="bench.bin")

        def bare() -> None:
            key = f"bench/{secrets.token_hex(8)}"
            s3.put_object(Bucket=environment["HOIST_BUCKET"], Key=key, Body=body)

        ratios = [seconds(bare, count) / seconds(whole, count) for _ in range(PAIRS)]
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    return f"{name}: whole path / bare PUT {middle:.2f} (min {low:.2f}, max {high:.2f})"


def seconds(work: Callable[[], None], count: int) -> float:
    """Wall time of *count* calls, 16 at a time."""
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()
    return time.perf_counter() - began
