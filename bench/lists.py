"""What a list page and an upload cost as the user's files grow from 100 to 20,000.

Both users are asked in turn. Cached pages are the same list again; uncached ones the same list in
words that the cache has not heard. An upload is one of 16 bytes, from request to stored.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import httpx

from bench.pairs import Side, cpu_of, measured
from bench.planted import FIRST_MS, files
from bench.row import Row
from bench.target import Target
from bench.uploading import Uploader
from loadtest.people import User

FEW, MANY, PAGES, SEARCHES, UPLOADS = 100, 20_000, 10, 2, 10
SEARCH = "one file, by name"  # no index knows what names contain: all files are looked at
QUERIES: dict[str, dict[str, str]] = {
    "newest": {},
    "by name": {"sort": "name"},
    "largest": {"sort": "-size"},
    "every other, by type": {"type": "image/png"},
    SEARCH: {"name": "file 00000"},
}
Asking = Callable[[int], float]


def run(target: Target) -> list[Row]:
    many = target.count(MANY, 2 * FEW)
    with files(target, FEW, many) as users:
        rows = [_uploads(target, users, many)]
        with httpx.Client(base_url=target.url, timeout=60) as client:
            for name, query in QUERIES.items():
                for kind, queries in (("cached", _same(query)), ("uncached", _fresh(query))):
                    # A user's cache is bounded: what was asked before may have filled it.
                    target.services.cache.invalidate([user.user_id for user in users])
                    ask = _asking(client, users, queries)
                    goal, count = (None, SEARCHES) if name == SEARCH else (1.1, PAGES)
                    what = f"a page, {name}, {kind}"
                    rows.append(_row(target, what, ask, target.count(count, 2), many, goal))
    return rows


def _uploads(target: Target, users: Sequence[User], many: int) -> Row:
    uploaders = [Uploader(target, user) for user in users]

    def ask(number: int) -> float:
        began = time.perf_counter()
        uploaders[number].upload(b"0123456789abcdef")
        return time.perf_counter() - began

    try:
        return _row(target, "an upload", ask, target.count(UPLOADS, 2), many, 1.1)
    finally:
        for uploader in uploaders:
            uploader.close()
            target.delete(uploader.uploaded())
        target.settle()


def _row(target: Target, what: str, ask: Asking, count: int, many: int, goal: float | None) -> Row:
    """The median with many files by that with few, of each pair; the first one fills caches."""

    def in_turn() -> list[float]:
        return [ask(user) for _ in range(count) for user in (0, 1)]

    ratios, told = [], (0.0, 0.0)
    sides: list[Side] = []
    for number in range(-1, target.pairs):
        took, side = measured(target, 2 * count, in_turn)
        told = (statistics.median(took[::2]), statistics.median(took[1::2]))
        if number >= 0:
            ratios.append(told[1] / told[0])
            sides.append(side)
    detail = f"last: {told[0] * 1000:.1f} ms and {told[1] * 1000:.1f} ms"
    detail += f"; CPU ms each, of both: {cpu_of(sides)}"
    what = f"p50 of {what}, {many:,} files / {FEW}"
    return Row("lists", what, ratios, goal, is_most=True, detail=detail)


def _asking(
    client: httpx.Client, users: Sequence[User], queries: Iterator[dict[str, str]]
) -> Asking:
    asked: dict[str, str] = {}

    def ask(number: int) -> float:
        nonlocal asked
        if number == 0:
            asked = next(queries)
        headers = {"Authorization": f"Bearer {users[number].token}"}
        began = time.perf_counter()
        answer = client.get("/files", params=asked, headers=headers)
        seconds = time.perf_counter() - began
        assert answer.raise_for_status().json()["files"]
        return seconds

    return ask


def _same(query: dict[str, str]) -> Iterator[dict[str, str]]:
    while True:
        yield query


def _fresh(query: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same list each time, asked in words the cache has not heard."""
    later = FIRST_MS // 1000 + 10**6
    while True:
        later += 1
        yield query | {"createdTo": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(later))}
