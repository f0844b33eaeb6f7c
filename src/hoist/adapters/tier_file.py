"""The tiers, from a file that may change while we run."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from hoist.domain.policy import Policy
from hoist.domain.ports import Clock

logger = logging.getLogger(__name__)
LOOK_MS = 1000


class TierFile:
    """Calling it gives the policy in force: the file's, looked at once a second."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises ``ValueError`` or ``OSError`` when the file is not there or makes no sense."""
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._looked_ms = clock()
        self._stamp = (0, 0, 0)
        self._policy = self._read()

    def __call__(self) -> Policy:
        now = self._clock()
        if abs(now - self._looked_ms) >= LOOK_MS and self._lock.acquire(blocking=False):
            try:
                self._looked_ms = now
                self._look()
            finally:
                self._lock.release()
        return self._policy

    def watch(self) -> None:
        """Look every second from now on, used or not: so that all processes judge alike."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_MS / 1000)
            self()

    def _look(self) -> None:
        """A file that makes no sense changes nothing: the tiers before it stay in force."""
        try:
            if _stamp(self._path.stat()) == self._stamp:
                return
            self._policy = self._read()
            logger.info("tiers changed", extra={"file": str(self._path)})
        except (OSError, ValueError) as error:
            logger.error("tier file not used", extra={"reason": str(error)})

    def _read(self) -> Policy:
        with self._path.open() as file:
            self._stamp = _stamp(os.fstat(file.fileno()))
            return Policy.from_json(file.read())


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino
