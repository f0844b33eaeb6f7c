"""``python -m bench.costs``: what bench/capacity/costs.py says, made anew on the running stack.

Counted are units, commands and bytes; clocked are CPU time and log lines of our processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from bench.capacity import processes
from bench.capacity.measure import Measure
from emulation.native.ports import port_base, settings, stack_dir
from emulation.native.stack import Stack

CROWD = 25


def run(environment: Mapping[str, str]) -> str:
    """One line for each figure, then one for each process."""
    lines = [f"costs, {name}: {value:.2f}" for name, value in counted(environment).items()]
    clocked = processes.run(environment, Stack(port_base(), stack_dir()))
    lines += [
        f"costs, {name}: {milliseconds:.1f} ms and {size:.0f} bytes of log per upload"
        for name, (milliseconds, size) in clocked.items()
    ]
    return "\n".join(lines)


def counted(environment: Mapping[str, str]) -> dict[str, float]:
    """By the names that bench/capacity/costs.py has for them."""
    measure = Measure(environment)
    try:
        return dict(_counted(measure))
    finally:
        measure.close()


def _counted(measure: Measure) -> Iterator[tuple[str, float]]:
    alone, crowd, hot = measure.cost(1), measure.cost(CROWD), measure.hot(CROWD)
    miss, hit = measure.page()
    yield "WCU_PER_UPLOAD", crowd.wcu.total() / CROWD
    yield "WCU_PER_UPLOAD_ALONE", alone.wcu.total()
    yield "WCU_DUE_PER_UPLOAD", crowd.wcu["due"] / CROWD
    own = hot.wcu.total() - hot.wcu["due"] - hot.wcu["by-file"]
    yield "WCU_HOT_USER", own / CROWD
    yield "RCU_PER_UPLOAD", crowd.rcu / CROWD
    yield "RCU_PER_PAGE", miss.rcu
    paid, own = measure.stored()
    yield "DYNAMODB_BYTES_PER_FILE", paid
    yield "COLLECTION_BYTES_PER_FILE", own
    yield "RECORDS_PER_UPLOAD", len(crowd.records) / CROWD
    lane, metadata = crowd.records[:CROWD], crowd.records[CROWD:]  # all are asked for first
    yield "LANE_BYTES_PER_UPLOAD", sum(lane) / CROWD
    yield "METADATA_BYTES_PER_UPLOAD", sum(metadata) / CROWD
    yield "REDIS_OPS_PER_UPLOAD", crowd.redis.total() / CROWD
    yield "REDIS_OPS_PER_HIT", hit.redis.total()
    yield "REDIS_OPS_PER_MISS", miss.redis.total()
    memory = measure.memory()
    yield "REDIS_BYTES_PER_UPLOAD", memory["upload"]
    yield "REDIS_BYTES_PER_USER", memory["user"]
    yield "REDIS_BYTES_PER_SOCKET", memory["socket"]
    yield "PUSHES_PER_UPLOAD", crowd.redis["lua PUBLISH"] / CROWD
    yield "S3_PUTS_PER_UPLOAD", 1 + crowd.s3.total() / CROWD


def main() -> None:
    ports = Stack(port_base(), stack_dir()).running_ports()
    if not ports or ports.store != "dynamodb":
        raise SystemExit("units of DynamoDB are counted: start its stack with make up")
    environment = settings(ports, stack_dir())
    os.environ.update({key: value for key, value in environment.items() if key.startswith("AWS_")})
    print(run(environment))


if __name__ == "__main__":
    main()
