"""Time to a URL in one lane, alone and while hundreds of requests wait in the other.

The same few requests are sent, one after another, before and during the flood; told is the median
during it divided by the median alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.pairs import Side, cpu_of, measured
from bench.row import Row
from bench.target import Target
from bench.uploading import wanted
from bench.wire import Wire

FLOOD, PER_FRAME, SAMPLES = 300, 100, 10


def run(target: Target) -> list[Row]:
    """A row for each direction."""
    return [_row(target, *tiers) for tiers in (("premium", "basic"), ("basic", "premium"))]


def _row(target: Target, asking: str, flooding: str) -> Row:
    took: list[tuple[float, float]] = []
    sides: list[Side] = []
    for _ in range(-1, target.pairs):
        with ExitStack() as stack:
            asker = stack.enter_context(Wire(target.url + "/ws", target.user(asking).token))
            members = list(_flood(target, stack, flooding))
            count = len(members) * PER_FRAME + 2 * target.count(SAMPLES, 2)
            pair, side = measured(target, count, partial(_pair, target, asker, members))
        target.empty()
        took.append(pair)
        sides.append(side)
    took, sides = took[1:], sides[1:]  # the first warmed up
    ratios = [crowded / alone for alone, crowded in took]
    alone, crowded = (statistics.median(one[each] for one in took) * 1e3 for each in (0, 1))
    detail = f"p50 {alone:.1f} ms alone, {crowded:.1f} ms crowded; CPU ms each: {cpu_of(sides)}"
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
