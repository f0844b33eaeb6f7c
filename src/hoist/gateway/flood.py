"""The edge's own guard, before anything is looked at: requests and frames a second, by user.

A refusal costs work as well: who is too fast waits a moment for it, so that a flood stays in its
sender's own buffers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hoist.domain.errors import SlowDown
from hoist.domain.model import Principal
from hoist.domain.policy import Policy

BURST_SECONDS = 2
USERS_MAX = 20_000
REFUSAL_SECONDS = 0.02


class FloodGuard:
    """A token bucket per user, of this process only: cheap, and close enough for a flood."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        # Not the time of day: once that is set back, nobody might ask until it is reached again.
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._policy, self._seconds, self._sleep = policy, seconds, sleep
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was
        self._lock = threading.Lock()

    def take(self, principal: Principal, count: int = 1) -> None:
        """Raises ``SlowDown`` when *count* more is too fast; then nothing is taken.

        More than a whole burst costs a whole burst: else it could never pass.
        """
        rate = self._policy().tier(principal.tier).requests_per_second
        if not self._is_taken(principal.user_id, count, rate):
            self._sleep(REFUSAL_SECONDS)
            raise SlowDown(rate)

    def _is_taken(self, user_id: str, count: int, rate: int) -> bool:
        count = min(count, rate * BURST_SECONDS)
        now = self._seconds()
        with self._lock:
            left, since = self._buckets.get(user_id, (rate * BURST_SECONDS, now))
            left = min(rate * BURST_SECONDS, left + (now - since) * rate)
            if left < count:
                return False
            if len(self._buckets) >= USERS_MAX:
                self._buckets.clear()
            self._buckets[user_id] = (left - count, now)
        return True
