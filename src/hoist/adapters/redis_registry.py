"""Redis as the registry of open sockets, and the keeper of one-time tickets.

Down     the registry acts as if empty, for a second at a time; tickets say so
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import redis

from hoist.adapters.redis_client import Guard, in_one_trip
from hoist.domain.errors import Unavailable
from hoist.domain.model import Principal
from hoist.domain.ports import Clock
from hoist.domain.versions import known, members
from hoist.domain.volatile import Connection

CONNECTION_SECONDS = 2 * 3600 + 600  # API Gateway's maximum life of a socket, and a margin


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class RedisConnections:
    def __init__(self, client: Any, guard: Guard, clock: Clock = _now_ms) -> None:
        self._redis, self._guard, self._clock = client, guard, clock

    def add(self, connection: Connection) -> None:
        text, of_user = json.dumps(members(connection)), _of_user(connection.user_id)
        commands = [
            ("SET", _connection(connection.connection_id), text, "EX", CONNECTION_SECONDS),
            ("HSET", of_user, connection.connection_id, text),
            ("EXPIRE", of_user, CONNECTION_SECONDS),
        ]
        self._guard(lambda: in_one_trip(self._redis, commands), [])

    def remove(self, connection: Connection) -> None:
        commands = [
            ("DEL", _connection(connection.connection_id)),
            ("HDEL", _of_user(connection.user_id), connection.connection_id),
        ]
        self._guard(lambda: in_one_trip(self._redis, commands), [])

    def find(self, connection_id: str) -> Connection | None:
        found = self._guard(lambda: self._redis.get(_connection(connection_id)), None)
        connection = _of_json(found) if found else None
        return connection if connection and self._is_open(connection) else None

    def of_user(self, user_id: str) -> list[Connection]:
        nothing: list[bytes] = []
        texts = self._guard(lambda: list(self._redis.hvals(_of_user(user_id))), nothing)
        found = [_of_json(text) for text in texts]
        for connection in found:
            if not self._is_open(connection):  # its gateway died, and newer ones keep the hash
                self.remove(connection)
        return [connection for connection in found if self._is_open(connection)]

    def _is_open(self, connection: Connection) -> bool:
        return self._clock() < connection.connected_at_ms + CONNECTION_SECONDS * 1000


def _of_json(text: bytes) -> Connection:
    return Connection(**known(Connection, json.loads(text)))


def _connection(connection_id: str) -> str:
    return f"hoist:connection:{connection_id}"


def _of_user(user_id: str) -> str:
    return f"hoist:{{{user_id}}}:connections"


class RedisTickets:
    def __init__(self, client: Any) -> None:
        self._redis = client

    def issue(self, principal: Principal, *, lives_seconds: int) -> str:
        ticket = secrets.token_urlsafe(32)
        try:
            self._redis.set(_ticket(ticket), json.dumps(members(principal)), ex=lives_seconds)
        except redis.RedisError as error:
            raise Unavailable("tickets cannot be kept now") from error
        return ticket

    def redeem(self, ticket: str) -> Principal | None:
        try:
            found = self._redis.getdel(_ticket(ticket))
        except redis.RedisError as error:
            raise Unavailable("tickets cannot be read now") from error
        if not found:
            return None
        kept = json.loads(found)
        return Principal(**known(Principal, kept) | {"roles": tuple(kept["roles"])})


def _ticket(ticket: str) -> str:
    return f"hoist:ticket:{ticket}"
