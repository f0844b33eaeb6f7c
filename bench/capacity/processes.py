"""CPU time and log lines of each of our processes for one upload, on the running stack."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from emulation.native.stack import Stack
from hoist.client import Client, StaticToken
from loadtest.people import newcomer

UPLOADS, USERS, WARM_UP = 240, 8, 40


def run(environment: Mapping[str, str], stack: Stack) -> dict[str, tuple[float, float]]:
    """Milliseconds and log bytes per upload, by process; uploads of 4 KB, 8 at a time."""
    with ThreadPoolExecutor(USERS) as pool:
        clients = [_client(environment) for _ in range(USERS)]
        _upload(pool, clients, WARM_UP)
        before = _used(stack)
        _upload(pool, clients, UPLOADS)
        time.sleep(2)  # what comes after "stored" is little, and belongs to it as well
        after = _used(stack)
        for client in clients:
            client.close()
    return {
        name: ((cpu - before[name][0]) * 1000 / UPLOADS, (size - before[name][1]) / UPLOADS)
        for name, (cpu, size) in after.items()
    }


def _client(environment: Mapping[str, str]) -> Client:
    token = StaticToken(newcomer(environment["HOIST_ISSUER"], "premium").token)
    return Client(environment["HOIST_URL"].split(","), token)


def _upload(pool: ThreadPoolExecutor, clients: list[Client], count: int) -> None:
    def some(client: Client) -> None:
        for _ in range(count // USERS):
            client.upload(io.BytesIO(b"x" * 4096), name="bench.bin")

    for done in [pool.submit(some, client) for client in clients]:
        done.result()


def _used(stack: Stack) -> dict[str, tuple[float, int]]:
    """CPU seconds so far, and bytes logged, of each process."""
    used = {}
    for service in stack.status():
        times = psutil.Process(service["pid"]).cpu_times()
        children = psutil.Process(service["pid"]).children(recursive=True)
        seconds = times.user + times.system
        seconds += sum(sum(child.cpu_times()[:2]) for child in children)
        log = Path(stack.directory) / "logs" / f"{service['name']}.log"
        used[service["name"]] = (seconds, log.stat().st_size if log.exists() else 0)
    return used
