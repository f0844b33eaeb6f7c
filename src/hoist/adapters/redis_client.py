"""The Redis client, and the guard that lets everything go on without it.

Needs    Redis 6.2 or newer, one primary: keys of one user share a hash tag, scripts touch no other
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis

logger = logging.getLogger(__name__)
T = TypeVar("T")
AWAY_SECONDS = 1.0
CONNECTIONS_MAX = 50  # of one process; more callers wait


def client(url: str) -> Any:
    """Answers within half a second or counts as away.

    A caller who finds every connection busy waits: redis-py's default pool would fail instead, and
    a burst would look like an outage.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        timeout=1.0,
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
    )
    return redis.Redis.from_pool(pool)


class Guard:
    """Asks Redis, unless it failed a moment ago: then the answer is *otherwise*, at once."""

    def __init__(self) -> None:
        self._away_until = self._told_at = 0.0

    def __call__(self, ask: Callable[[], T], otherwise: T) -> T:
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            return ask()
        except redis.RedisError as error:
            now = time.monotonic()
            # A refused command says nothing about the next one: only silence counts as away.
            if isinstance(error, redis.ConnectionError | redis.TimeoutError):
                self._away_until = now + AWAY_SECONDS
            if now - self._told_at > AWAY_SECONDS:
                self._told_at = now
                logger.warning("redis is away", extra={"reason": repr(error)})
            return otherwise
