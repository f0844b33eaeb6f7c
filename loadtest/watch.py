"""``python -m loadtest.watch``: what the servers say of themselves, a line of JSON every 2 seconds.

From stdin it hears whose uploads to count, a user id a line; it ends when stdin does. It is a
process of its own because the Kafka client wants threads, and the one that makes load has none.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import threading
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import click
import httpx
import psutil

from hoist.config import Settings
from hoist.domain.errors import Unavailable
from hoist.wiring import Services
from loadtest import place

LOOK_SECONDS = 2.0
SAMPLED_USERS_MAX = 300
MIB = 1024**2
SOCKETS = re.compile(r"^hoist_open_sockets (\S+)$", re.M)


class Watch:
    def __init__(self, services: Services, urls: list[str]) -> None:
        self._services, self._urls = services, urls
        self._http = httpx.Client(timeout=5)
        self.user_ids: list[str] = []

    def look(self) -> dict[str, Any]:
        """What can be seen now; what cannot is left out."""
        told: dict[str, Any] = {
            "sockets": {name: n for url in self._urls for name, n in [self._sockets(url)]},
            "leases": {f"of up to {SAMPLED_USERS_MAX} people": self._leases()},
            "processes": _processes(),
        }
        with suppress(Unavailable):
            lag = self._services.measure_lag()
            behind: Counter[str] = Counter()
            for one in lag.partitions:
                behind[one.group] += one.lag
            told |= {"lag": dict(behind), "deadLetters": dict(lag.dead_letters)}
        return told

    def _sockets(self, url: str) -> tuple[str, int | None]:
        try:
            found = SOCKETS.search(self._http.get(f"{url}/metrics").text)
        except httpx.HTTPError:
            found = None
        return urlsplit(url).netloc, int(float(found[1])) if found else None

    def _leases(self) -> int:
        return self._services.leases.count(sampled(self.user_ids))


def sampled(user_ids: list[str]) -> list[str]:
    """Some of them, others each time: a look must not cost the more the more there are."""
    return random.sample(user_ids, min(len(user_ids), SAMPLED_USERS_MAX))


def _processes() -> list[dict[str, Any]]:
    told = []
    for row in place.stack().status():
        rss = None
        if row["pid"]:
            with suppress(psutil.Error):
                rss = round(psutil.Process(row["pid"]).memory_info().rss / MIB, 1)
        told.append({"name": row["name"], "state": row["state"], "rssMib": rss})
    return told


def main() -> None:
    environment = place.environment()
    os.environ.update({k: v for k, v in environment.items() if k.startswith("AWS_")})
    services = Services(Settings.from_env(environment))
    watch, ended = Watch(services, environment["HOIST_URL"].split(",")), threading.Event()

    def hear() -> None:
        for line in sys.stdin:
            watch.user_ids.append(line.strip())
        ended.set()

    threading.Thread(target=hear, daemon=True).start()
    while not ended.wait(LOOK_SECONDS):
        click.echo(json.dumps(watch.look()))


if __name__ == "__main__":
    main()
