"""``python -m bench [NAME]``: the whole path of an upload beside a bare PUT to the same bucket.

Both sides run in turn, 16 at a time, in several pairs; printed is the throughput of the whole path
divided by that of the bare PUT, as median, minimum and maximum.
"""

from __future__ import annotations

import io
import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from emulation import provision
from emulation.native.ports import Ports, port_base, settings, stack_dir
from hoist.client import Client, Issuer, StaticToken

PAIRS, AT_ONCE = 5, 16
SIZES = {"4KB": (4_096, 64), "1MB": (1_000_000, 32)}


def main() -> None:
    names = sys.argv[1:] or list(SIZES)
    if unknown := set(names) - SIZES.keys():
        raise SystemExit(f"no bench called {', '.join(unknown)}; there are: {', '.join(SIZES)}")
    environment = settings(Ports(port_base()), stack_dir())
    grant = Issuer(environment["HOIST_ISSUER"]).password("grace", "grace")
    s3 = provision.client("s3", environment)
    with Client(environment["HOIST_URL"].split(","), StaticToken(grant.access_token)) as client:
        for name in names:
            size, count = SIZES[name]
            body = os.urandom(size)

            def whole(body: bytes = body) -> None:
                client.upload(io.BytesIO(body), name="bench.bin")

            def bare(body: bytes = body) -> None:
                key = f"bench/{secrets.token_hex(8)}"
                s3.put_object(Bucket=environment["HOIST_BUCKET"], Key=key, Body=body)

            ratios = [seconds(bare, count) / seconds(whole, count) for _ in range(PAIRS)]
            low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
            print(f"{name}: whole path / bare PUT {middle:.2f} (min {low:.2f}, max {high:.2f})")


def seconds(work: Callable[[], None], count: int) -> float:
    """Wall time of *count* calls, 16 at a time."""
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
