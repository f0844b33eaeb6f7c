"""The edge's own guard, before anything is looked at: requests and frames a second, by user."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hoist.domain.errors import SlowDown
from hoist.domain.model import Principal
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock

BURST_SECONDS = 2
USERS_MAX = 20_000


class FloodGuard:
    """A token bucket per user, of this process only: cheap, and close enough for a flood."""

    def __init__(self, policy: Callable[[], Policy], clock: Clock) -> None:
        self._policy, self._clock = policy, clock
        self._buckets: dict[str, tuple[float, int]] = {}  # what is left, and when that was
        self._lock = threading.Lock()

    def take(self, principal: Principal, count: int = 1) -> None:
        """Raises ``SlowDown`` when *count* more is too fast; then nothing is taken.

        More than a whole burst costs a whole burst: else it could never pass.
        """
        rate = self._policy().tier(principal.tier).requests_per_second
        count = min(count, rate * BURST_SECONDS)
        now = self._clock()
        with self._lock:
            left, since = self._buckets.get(principal.user_id, (rate * BURST_SECONDS, now))
            left = min(rate * BURST_SECONDS, left + (now - since) / 1000 * rate)
            if left < count:
                raise SlowDown(rate)
            if len(self._buckets) >= USERS_MAX:
                self._buckets.clear()
            self._buckets[principal.user_id] = (left - count, now)
