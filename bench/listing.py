"""``GET /files`` from the cache, beside a bare Flask that verifies the token and signs the links.

64 clients on kept connections ask for the first page of 50 files. The bare side has the page in
memory, in one gunicorn process with the gevent worker, as a gateway is; it verifies each token by
PyJWT, and signs a link to each file, as every answer of ours has.
"""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from bench.floor import Floor, running
from bench.pairs import Side, interleaved, measure, told
from bench.planted import files
from bench.row import Row, percentile
from bench.target import Target
from bench.together import together

CLIENTS, REQUESTS, FILES = 64, 640, 50


def run(target: Target) -> list[Row]:
    count, tails = target.count(REQUESTS, CLIENTS), []
    with files(target, FILES) as [user], running(target.environment, "files") as bare:

        def side(url: str, floor: Floor | None) -> Side:
            clients = [_Client(url, user.token) for _ in range(CLIENTS)]
            works = [client.ask for client in clients]
            done = measure(target, count, lambda: together(works, count), floor)
            times = [seconds for client in clients for seconds in client.times]
            if floor is None:
                tails.append(percentile(times, 99) / percentile(times, 50))
            for client in clients:
                client.close()
            return done

        pairs = interleaved(target, lambda: side(target.url, None), lambda: side(bare.url, bare))
    ratios = [one.per_second / other.per_second for one, other in pairs]
    what = f"GET /files at {CLIENTS}"
    return [
        Row("list", f"{what}, cached / bare Flask", ratios, 0.8, detail=told(pairs)),
        Row("list-tail", f"{what}, p99 / p50", tails[1:], 5, is_most=True),
    ]


class _Client:
    def __init__(self, url: str, token: str) -> None:
        at = urlsplit(url)
        assert at.hostname
        self._connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}
        self.times: list[float] = []

    def ask(self) -> None:
        began = time.perf_counter()
        self._connection.request("GET", "/files", headers=self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        self.times.append(time.perf_counter() - began)

    def close(self) -> None:
        self._connection.close()
