"""Who may wait for a dependency: so many at once, and while it is away one after another.

Closed   all may, up to a bound; the first failure opens it
Open     nobody may for a second: who asks hears ``Busy`` at once; then one may try, and when that
         one gets an answer, all may again
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hoist.domain.errors import Busy

WAITING_MAX, OF_ONE_MAX = 1000, 250
AWAY_SECONDS = 1.0


class Circuit:
    """*failures* are what shows that the dependency is away; anything else says nothing of it."""

    def __init__(
        self,
        what: str,
        failures: type[Exception],
        *,
        waiting_max: int = WAITING_MAX,
        of_one_max: int = OF_ONE_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._failures, self._clock = what, failures, clock
        self._waiting_max, self._of_one_max = waiting_max, of_one_max
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()  # by whose request it is
        self._answered_at = float("-inf")
        self._away_until: float | None = None
        self._is_tried = False

    @property
    def is_open(self) -> bool:
        """Whether it failed within the last second."""
        return self._away_until is not None and self._clock() < self._away_until

    @contextmanager
    def turn(self, who: str) -> Iterator[None]:
        """The block waits for the dependency. Raises ``Busy``, at once, for *who* may not."""
        is_trial, began = self._enter(who)
        try:
            yield
        except self._failures:
            self._failed(began)
            raise
        else:
            self._answered()
        finally:
            self._leave(who, is_trial)

    def _enter(self, who: str) -> tuple[bool, float]:
        with self._lock:
            now = self._clock()
            is_trial = self._away_until is not None
            if is_trial and (self._is_tried or self.is_open):
                raise Busy(f"{self._what} does not answer; try again shortly")
            # So that one user's flood leaves room for the others.
            is_full = self._waiting[who] >= self._of_one_max
            if is_full or self._waiting.total() >= self._waiting_max:
                raise Busy(f"too many requests wait for {self._what}; try again shortly")
            self._waiting[who] += 1
            self._is_tried = is_trial
            return is_trial, now

    def _failed(self, began: float) -> None:
        with self._lock:
            # Who asked before it came back may hear of that only now.
            if began >= self._answered_at:
                self._away_until = self._clock() + AWAY_SECONDS

    def _answered(self) -> None:
        with self._lock:
            self._answered_at = self._clock()
            self._away_until = None

    def _leave(self, who: str, is_trial: bool) -> None:
        with self._lock:
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]
            if is_trial:
                self._is_tried = False
