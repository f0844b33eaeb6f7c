"""Redis as what is known of uploads in flight: leases, progress, and how fast the lanes move.

Down     all act as if empty, for a second at a time
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hoist.adapters.redis_client import Guard, in_one_trip
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
        commands: list[tuple[Any, ...]] = []
        for user_id in user_ids:
            commands.append(("ZREMRANGEBYSCORE", _leases(user_id), "-inf", self._clock()))
            commands.append(("ZRANGE", _leases(user_id), 0, -1, "WITHSCORES"))
        nothing: list[Any] = []
        answers = (
            self._guard(lambda: in_one_trip(self._redis, commands), nothing) if commands else []
        )
        return {
            user_id: {name.decode(): int(end) for name, end in rows if name}
            for user_id, rows in zip(user_ids, answers[1::2], strict=False)
            if rows
        }

    def count(self, user_ids: Sequence[str]) -> int:
        """How many leases these users have, for who only looks: nothing is changed."""
        not_ended = (f"({self._clock()}", "(inf")
        commands = [("ZCOUNT", _leases(user_id), *not_ended) for user_id in user_ids]
        nothing: list[Any] = []
        return sum(self._guard(lambda: in_one_trip(self._redis, commands), nothing))

    def hold(self, ends_ms: Mapping[str, Mapping[str, int]]) -> None:
        commands: list[tuple[Any, ...]] = []
        for user_id, ends in ends_ms.items():
            pairs = [part for name, end in ends.items() for part in (end, name)]
            commands.append(("ZADD", _leases(user_id), NEVER, KNOWN, *pairs))
            commands.append(("EXPIRE", _leases(user_id), LEASES_SECONDS))
        if commands:
            self._guard(lambda: in_one_trip(self._redis, commands), [])

    def renew(self, user_id: str, file_id: str, end_ms: int) -> None:
        self._guard(
            lambda: self._redis.zadd(_leases(user_id), {file_id: end_ms}, xx=True, gt=True), 0
        )

    def free(self, file_ids: Mapping[str, Sequence[str]]) -> None:
        commands = [("ZREM", _leases(user_id), *ended) for user_id, ended in file_ids.items()]
        if commands:
            self._guard(lambda: in_one_trip(self._redis, commands), [])


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
        commands = [
            ("SET", _board(file_id), f"{reached.phase} {reached.bytes_sent}", "EX", BOARD_SECONDS)
            for file_id, reached in progress.items()
        ]
        if commands:
            self._guard(lambda: in_one_trip(self._redis, commands), [])


class RedisLanes:
    """Each process looks a lane's pace up once every ``PACE_SECONDS``."""

    def __init__(
        self, client: Any, guard: Guard, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis, self._guard, self._seconds = client, guard, seconds
        self._looked_up: dict[tuple[str, int], tuple[float, LanePace | None]] = {}

    def report(self, done: Mapping[tuple[str, int], LanePace]) -> None:
        commands = [
            ("SET", _lane(*place), f"{pace.next_offset} {pace.per_second}", "EX", LANES_SECONDS)
            for place, pace in done.items()
        ]
        self._guard(lambda: in_one_trip(self._redis, commands), [])

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
