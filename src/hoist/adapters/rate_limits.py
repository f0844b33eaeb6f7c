"""Requests per minute and per hour, counted in Redis by the ``limits`` library.

Down     each process counts for itself: a user's requests are all read by one of them anyway
"""

from __future__ import annotations

import math
import time
from typing import Any

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter as Strategy
from limits.strategies import SlidingWindowCounterRateLimiter

from hoist.adapters.redis_client import Guard
from hoist.domain.volatile import Taken


class LimitsRateLimiter:
    def __init__(self, redis: Any, guard: Guard) -> None:
        # Its pool, whose callers wait for a connection: more at once are no outage.
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool)
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._guard = guard

    def take(self, user_id: str, count: int, *, per_minute: int) -> Taken:
        return self._take(RateLimitItemPerMinute(per_minute), user_id, count)

    def take_hourly(self, user_id: str, count: int, *, per_hour: int) -> Taken:
        return self._take(RateLimitItemPerHour(per_hour), user_id, count)

    def _take(self, item: RateLimitItem, user_id: str, count: int) -> Taken:
        taken = self._guard(lambda: _take(self._shared, item, user_id, count), None)
        return taken or _take(self._own, item, user_id, count)


def _take(strategy: Strategy, item: RateLimitItem, user_id: str, count: int) -> Taken:
    if strategy.hit(item, "uploads", user_id, cost=count):
        return Taken(count)
    stats = strategy.get_window_stats(item, "uploads", user_id)
    granted = min(count, stats.remaining)
    if granted and not strategy.hit(item, "uploads", user_id, cost=granted):
        granted = 0
    return Taken(granted, max(1, math.ceil(stats.reset_time - time.time())))
