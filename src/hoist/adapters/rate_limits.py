"""Requests per minute and per hour, counted in Redis by the ``limits`` library.

Down     each process counts for itself: a user's requests are all read by one of them anyway
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import RateLimiter as Strategy
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import NoScriptError

from hoist.adapters.redis_client import Guard, in_one_trip
from hoist.domain.volatile import Taken

WHAT = "uploads"


class LimitsRateLimiter:
    def __init__(self, redis: Any, guard: Guard) -> None:
        # Its pool, whose callers wait for a connection: more at once are no outage.
        self._storage = _Storage("redis://", connection_pool=redis.connection_pool)
        self._shared = SlidingWindowCounterRateLimiter(self._storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._guard = guard

    def take(self, user_id: str, count: int, *, per_minute: int) -> Taken:
        return self.take_all({user_id: count}, per_minute=per_minute)[user_id]

    def take_all(self, counts: Mapping[str, int], *, per_minute: int) -> dict[str, Taken]:
        return self._take(RateLimitItemPerMinute(per_minute), counts)

    def take_hourly(self, user_id: str, count: int, *, per_hour: int) -> Taken:
        return self._take(RateLimitItemPerHour(per_hour), {user_id: count})[user_id]

    def _take(self, item: RateLimitItem, counts: Mapping[str, int]) -> dict[str, Taken]:
        none = dict.fromkeys(counts, False)
        in_one_go = self._guard(lambda: self._storage.acquire_all(item, counts), none)
        return {
            user_id: Taken(count) if in_one_go[user_id] else self._some(item, user_id, count)
            for user_id, count in counts.items()
        }

    def _some(self, item: RateLimitItem, user_id: str, count: int) -> Taken:
        taken = self._guard(lambda: _take(self._shared, item, user_id, count), None)
        return taken or _take(self._own, item, user_id, count)


class _Storage(RedisStorage):
    """The library's, which also asks for many users at once."""

    def acquire_all(self, item: RateLimitItem, counts: Mapping[str, int]) -> dict[str, bool]:
        """Whose requests are all within the rate; these are counted, no others."""
        try:
            return self._acquire_all(item, counts)
        except NoScriptError:  # Redis began anew; it has done nothing of this
            connection: Any = self.get_connection()
            connection.script_load(self.SCRIPT_ACQUIRE_SLIDING_WINDOW)
            return self._acquire_all(item, counts)

    def _acquire_all(self, item: RateLimitItem, counts: Mapping[str, int]) -> dict[str, bool]:
        connection: Any = self.get_connection()
        # Not the script itself, which asks first whether Redis knows it.
        sha, commands = self.lua_acquire_sliding_window.sha, []
        for user_id, count in counts.items():
            name = item.key_for(WHAT, user_id)
            windows = self._previous_window_key(name), self._current_window_key(name)
            keys = [self.prefixed_key(window) for window in windows]
            commands.append(("EVALSHA", sha, 2, *keys, item.amount, item.get_expiry(), count))
        answers = in_one_trip(connection, commands)
        return {
            user_id: bool(is_acquired) for user_id, is_acquired in zip(counts, answers, strict=True)
        }


def _take(strategy: Strategy, item: RateLimitItem, user_id: str, count: int) -> Taken:
    if strategy.hit(item, WHAT, user_id, cost=count):
        return Taken(count)
    stats = strategy.get_window_stats(item, WHAT, user_id)
    granted = min(count, stats.remaining)
    if granted and not strategy.hit(item, WHAT, user_id, cost=granted):
        granted = 0
    return Taken(granted, max(1, math.ceil(stats.reset_time - time.time())))
