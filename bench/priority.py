"""Time to a URL in one lane, alone and while hundreds of requests wait in the other.

The same few requests are sent, one after another, before and during the flood; told is the median
during it divided by the median alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack

from bench.row import Row
from bench.target import Target
from bench.uploading import wanted
from bench.wire import Wire

FLOOD, PER_FRAME, SAMPLES = 300, 100, 10


def run(target: Target) -> list[Row]:
    """A row for each direction."""
    return [_row(target, *tiers) for tiers in (("premium", "basic"), ("basic", "premium"))]


def _row(target: Target, asking: str, flooding: str) -> Row:
    ratios, last = [], (0.0, 0.0)
    for number in range(-1, target.pairs):
        with ExitStack() as stack:
            asker = stack.enter_context(Wire(target.url + "/ws", target.user(asking).token))
            last = _pair(target, asker, list(_flood(target, stack, flooding)))
        target.empty()
        if number >= 0:
            ratios.append(last[1] / last[0])
    detail = f"last: p50 {last[0] * 1000:.1f} ms alone, {last[1] * 1000:.1f} ms crowded"
    what = f"time to URL, {asking} behind {FLOOD} {flooding} / alone"
    return Row("priority", what, ratios, detail=detail)


def _flood(target: Target, stack: ExitStack, tier: str) -> Iterator[Wire]:
    members = max(1, target.count(FLOOD) // PER_FRAME)
    for user in target.users(members, tier):
        yield stack.enter_context(Wire(target.url + "/ws", user.token))


def _pair(target: Target, asker: Wire, members: list[Wire]) -> tuple[float, float]:
    def median() -> float:
        times = []
        for _ in range(target.count(SAMPLES, 2)):
            began = time.perf_counter()
            asker.send({"action": "upload", **wanted()})
            asker.event("upload.ready")
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    alone = median()
    for member in members:
        member.send({"action": "upload", "files": [wanted() for _ in range(PER_FRAME)]})
    return alone, median()
