"""How far an engine's files have come: a line that moves on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

TELL_SECONDS_TERMINAL, TELL_SECONDS_ELSEWHERE = 0.1, 5.0


class Stopped(Exception):
    """Raised in the threads that fetch, once nobody wants their files any more."""


class Arrivals:
    """Counts what any of the threads receives, and tells it on stderr now and then."""

    def __init__(self, engine: str, files: int) -> None:
        self._engine, self._files = engine, files
        self._done = self._bytes = 0
        self._is_stopped = False
        self._is_terminal = sys.stderr.isatty()
        self._told_at = 0.0
        self._lock = Lock()

    def __enter__(self) -> Arrivals:
        self._tell()
        return self

    def __exit__(self, *_: object) -> None:
        self._tell(is_last=True)

    @contextmanager
    def of_one_file(self, name: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """jgo's progress callback."""
        yield self._receive

    def complete(self) -> None:
        with self._lock:
            self._done += 1

    def stop(self) -> None:
        self._is_stopped = True

    def _receive(self, size_bytes: int) -> None:
        if self._is_stopped:
            raise Stopped
        with self._lock:
            self._bytes += size_bytes
            every = TELL_SECONDS_TERMINAL if self._is_terminal else TELL_SECONDS_ELSEWHERE
            if time.monotonic() - self._told_at > every:
                self._tell()

    def _tell(self, *, is_last: bool = False) -> None:
        self._told_at = time.monotonic()
        size = f"{self._bytes / 1e6:6.1f} MB"
        line = f"      {self._engine:<10} {self._done:>3} of {self._files} files {size}"
        sys.stderr.write(line + ("\r" if self._is_terminal and not is_last else "\n"))
        sys.stderr.flush()
