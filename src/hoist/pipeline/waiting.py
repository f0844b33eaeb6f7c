"""How long somebody who asked for a change waits until the log's reader has made it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

Sleep = Callable[[float], None]
"""Waits so many seconds."""

WAIT_SECONDS, FIRST_SECONDS, LONGEST_SECONDS = 10.0, 0.01, 0.5


def looks(sleep: Sleep, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """When to look: soon, then ever less often, for ten seconds in all, with what a look takes."""
    began, waited, pause = clock(), 0.0, FIRST_SECONDS
    while max(waited, clock() - began) < WAIT_SECONDS:
        sleep(pause)
        waited += pause
        yield
        pause = min(pause * 1.5, LONGEST_SECONDS)
