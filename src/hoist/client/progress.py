"""How much of one upload is done: the caller hears every chunk, the service now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hoist.client.views import OnProgress

REPORT_SECONDS = 0.25


class Tally:
    """The bytes of one upload, summed over its parts and threads.

    *check* is called at every chunk and may raise, which ends the transfer.
    """

    def __init__(self, on_progress: OnProgress, check: Callable[[], None]) -> None:
        self._on_progress = on_progress
        self._check = check
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._told: int | None = None

    def of(self, part: int) -> OnProgress:
        """What hears how many bytes of *part* are done."""

        def heard(bytes_done: int) -> None:
            self._check()
            with self._lock:
                self._done[part] = bytes_done
                self._tell()

        return heard

    def restart(self) -> None:
        """Nothing is done yet."""
        with self._lock:
            self._done.clear()

    def finish(self, total: int) -> None:
        """All is there, whoever brought it."""
        with self._lock:
            self._done = {0: total}
            self._tell()

    def _tell(self) -> None:
        done = sum(self._done.values())
        if done != self._told:
            self._told = done
            self._on_progress(done)


class Reporter:
    """Passes on a few of many numbers: one every *every_seconds*, and the last one.

    A transfer that is done before the first report was due is not worth one.
    """

    def __init__(
        self,
        report: Callable[[int], None],
        total: int,
        every_seconds: float = REPORT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._total = total
        self._every_seconds = every_seconds
        self._clock = clock
        self._reported_at = clock()
        self._has_reported = False

    def __call__(self, bytes_done: int) -> None:
        now = self._clock()
        is_end = self._has_reported and bytes_done == self._total
        if is_end or now - self._reported_at >= self._every_seconds:
            self._reported_at, self._has_reported = now, True
            self._report(bytes_done)
