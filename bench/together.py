"""Several clients at once, each in a thread of its own; or one, at a pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def each(works: Sequence[Callable[[], T]]) -> list[T]:
    """What each of *works* gives, all run at once; raises what the first to fail raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(work) for work in works]]


def together(works: Sequence[Callable[[], object]], count: int) -> None:
    """*count* calls: each of *works* again and again, all of them at once."""

    def again(number: int) -> None:
        for _ in range(number, count, len(works)):
            works[number]()

    each([partial(again, number) for number in range(len(works))])


def paced(count: int, gap: float, do: Callable[[int], object]) -> None:
    """Number by number, one beginning each *gap* seconds; who is late goes on at once."""
    began = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number * gap - time.perf_counter()))
        do(number)
