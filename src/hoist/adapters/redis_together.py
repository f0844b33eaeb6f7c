"""Commands of callers who come at the same time, in one trip to Redis.

A gateway's requests each have a line or two for Redis, and a trip costs more than they do. Whoever
comes while nobody asks, asks at once; whoever comes meanwhile goes with the next trip.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from hoist.adapters.redis_client import Guard

Commands = Callable[[Any], None]
"""Puts commands on a pipeline."""
CALLERS_MAX = 100  # of one trip


class _Caller:
    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self.called = threading.Event()  # done, or the next to ask
        self.is_done = False


class Together:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard
        self._waiting: list[_Caller] = []
        self._is_asking = False
        self._lock = threading.Lock()

    def __call__(self, commands: Commands) -> None:
        """Returns when Redis has done *commands*, or is away; they must not raise."""
        mine = _Caller(commands)
        with self._lock:
            self._waiting.append(mine)
            is_first, self._is_asking = not self._is_asking, True
        if not is_first:
            mine.called.wait()
        if not mine.is_done:
            self._ask_for_all()

    def _ask_for_all(self) -> None:
        """For all who wait; then it is the turn of the first of those who came meanwhile."""
        with self._lock:
            going, self._waiting = self._waiting[:CALLERS_MAX], self._waiting[CALLERS_MAX:]
        try:
            self._guard(lambda: self._trip(going), None)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._is_asking = following is not None
            for caller in going:
                caller.is_done = True
                caller.called.set()
            if following:
                following.called.set()

    def _trip(self, going: list[_Caller]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for caller in going:
            caller.commands(pipeline)
        pipeline.execute()
