"""Redis as what is known of uploads in flight: leases, progress, and how fast the lanes move.

Down     all act as if empty, for a second at a time
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hoist.adapters.redis_client import Guard
from hoist.domain.ports import Clock
from hoist.domain.volatile import LanePace, Progress

LEASES_SECONDS, BOARD_SECONDS, LANES_SECONDS = 24 * 3600, 3600, 24 * 3600
PACE_SECONDS = 0.1
# Its presence tells "no leases" from "forgotten"; its end never comes.
KNOWN, NEVER = "", float("inf")


class RedisLeases:
    """A sorted set per user: file ids by the end of their lease."""

    def __init__(self, client: Any, guard: Guard, clock: Clock) -> None:
        self._redis, self._guard, self._clock = client, guard, clock

    def active(self, user_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        def ask() -> list[list[tuple[bytes, float]]]:
            pipeline = self._redis.pipeline(transaction=False)
            for user_id in user_ids:
                pipeline.zremrangebyscore(_leases(user_id), "-inf", self._clock())
                pipeline.zrange(_leases(user_id), 0, -1, withscores=True)
            return list(pipeline.execute())[1::2]

        nothing: list[list[tuple[bytes, float]]] = []
        found = self._guard(ask, nothing) if user_ids else nothing
        return {
            user_id: {name.decode(): int(end) for name, end in rows if name}
            for user_id, rows in zip(user_ids, found, strict=False)
            if rows
        }

    def hold(self, ends_ms: Mapping[str, Mapping[str, int]]) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            for user_id, ends in ends_ms.items():
                pipeline.zadd(_leases(user_id), {KNOWN: NEVER, **ends})
                pipeline.expire(_leases(user_id), LEASES_SECONDS)
            pipeline.execute()
            return True

        if ends_ms:
            self._guard(ask, False)

    def renew(self, user_id: str, file_id: str, end_ms: int) -> None:
        self._guard(
            lambda: self._redis.zadd(_leases(user_id), {file_id: end_ms}, xx=True, gt=True), 0
        )

    def free(self, file_ids: Mapping[str, Sequence[str]]) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            for user_id, ended in file_ids.items():
                pipeline.zrem(_leases(user_id), *ended)
            pipeline.execute()
            return True

        if file_ids:
            self._guard(ask, False)


class RedisProgressBoard:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard

    def get(self, file_id: str) -> Progress | None:
        found: bytes | None = self._guard(lambda: self._redis.get(_board(file_id)), None)
        if found is None:
            return None
        phase, _, sent = found.decode().partition(" ")
        return Progress(phase, int(sent))

    def put_many(self, progress: Mapping[str, Progress]) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            for file_id, reached in progress.items():
                text = f"{reached.phase} {reached.bytes_sent}"
                pipeline.set(_board(file_id), text, ex=BOARD_SECONDS)
            pipeline.execute()
            return True

        if progress:
            self._guard(ask, False)


class RedisLanes:
    """Each process looks a lane's pace up once every ``PACE_SECONDS``."""

    def __init__(
        self, client: Any, guard: Guard, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis, self._guard, self._seconds = client, guard, seconds
        self._looked_up: dict[tuple[str, int], tuple[float, LanePace | None]] = {}

    def report(self, done: Mapping[tuple[str, int], LanePace]) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            for (topic, partition), pace in done.items():
                text = f"{pace.next_offset} {pace.per_second}"
                pipeline.set(_lane(topic, partition), text, ex=LANES_SECONDS)
            pipeline.execute()
            return True

        self._guard(ask, False)

    def pace(self, topic: str, partition: int) -> LanePace | None:
        now, place = self._seconds(), (topic, partition)
        at, pace = self._looked_up.get(place, (-PACE_SECONDS, None))
        if now - at >= PACE_SECONDS:
            pace = self._pace(topic, partition)
            self._looked_up[place] = now, pace
        return pace

    def _pace(self, topic: str, partition: int) -> LanePace | None:
        found: bytes | None = self._guard(lambda: self._redis.get(_lane(topic, partition)), None)
        if found is None:
            return None
        offset, _, rate = found.decode().partition(" ")
        return LanePace(int(offset), float(rate))


def _leases(user_id: str) -> str:
    return f"hoist:{{{user_id}}}:leases"


def _board(file_id: str) -> str:
    return f"hoist:progress:{file_id}"


def _lane(topic: str, partition: int) -> str:
    return f"hoist:lane:{topic}:{partition}"
