"""The Redis client, and the guard that lets everything go on without it.

Needs    Redis 6.2 or newer, one primary: keys of one user share a hash tag, scripts touch no other
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
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
    pool.connection_kwargs["protocol"] = 3  # whatever the address says: ``in_one_trip`` reads it
    return redis.Redis.from_pool(pool)


def in_one_trip(client: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The answers to *commands*, which are sent together, as RESP3 has them.

    Raises ``redis.RedisError``: for a refused command once all the others are done. redis-py's
    pipeline does the same, but spends more on each command than sending it (docs/performance.md).
    """
    if not commands:
        return []
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        # Whatever fails here closes it: what is answered later is an answer to nobody.
        connection.send_packed_command(connection.pack_commands(commands))
        answers = [_answer(connection) for _ in commands]
    finally:
        pool.release(connection)
    for answer in answers:
        if isinstance(answer, redis.ResponseError):
            raise answer
    return answers


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as refusal:
        return refusal


class Guard:
    """Asks Redis, unless it failed a moment ago: then the answer is *otherwise*, at once.

    After a second of that one caller tries again; the others go on without until it has an answer.
    """

    def __init__(self) -> None:
        self._away_until: float | None = None
        self._is_tried, self._trying = False, threading.Lock()
        self._told_at = 0.0

    def __call__(self, ask: Callable[[], T], otherwise: T) -> T:
        until = self._away_until
        if until is None:
            return self._ask(ask, otherwise)
        with self._trying:
            if self._is_tried or time.monotonic() < until:
                return otherwise
            self._is_tried = True
        try:
            return self._ask(ask, otherwise)
        finally:
            self._is_tried = False

    def _ask(self, ask: Callable[[], T], otherwise: T) -> T:
        try:
            answer = ask()
        except redis.RedisError as error:
            now = time.monotonic()
            # A refused command says nothing about the next one: only silence counts as away.
            is_silent = isinstance(error, redis.ConnectionError | redis.TimeoutError)
            self._away_until = now + AWAY_SECONDS if is_silent else None
            if now - self._told_at > AWAY_SECONDS:
                self._told_at = now
                logger.warning("redis is away", extra={"reason": repr(error)})
            return otherwise
        self._away_until = None
        return answer
