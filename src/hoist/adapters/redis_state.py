"""Redis as memory that may vanish: list pages, answers, connections, tickets.

Needs    Redis 6.2 or newer, one primary: keys of one user share a hash tag, scripts touch no other
Down     cache, answers and registry act as if empty, for a second at a time; tickets say so
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import redis

from hoist.domain.errors import Unavailable
from hoist.domain.model import Principal
from hoist.domain.ports import Answer, Clock, Connection

logger = logging.getLogger(__name__)
T = TypeVar("T")
PAGE_SECONDS, ANSWER_SECONDS, GENERATION_SECONDS = 300, 24 * 3600, 24 * 3600
CONNECTION_SECONDS = 2 * 3600 + 600  # API Gateway's maximum life of a socket, and a margin
AWAY_SECONDS = 1.0
OWED_MAX = 10_000

# Keep a page only in the generation it was read for: a slow reader must not bring an old list back.
PUT_PAGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""
# "accepted" never replaces anything; the handler's answers replace those of the same announcement.
PUT_ANSWER = """
local before = redis.call('GET', KEYS[1])
if before then
  if ARGV[3] == 'accepted' then return 0 end
  if cjson.decode(before).fingerprint ~= ARGV[4] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


def client(url: str) -> Any:
    """Answers within half a second or counts as away.

    A caller who finds every connection busy waits: redis-py's default pool would fail instead, and
    a burst would look like an outage.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=50, timeout=1.0, socket_timeout=0.5, socket_connect_timeout=0.5
    )
    return redis.Redis.from_pool(pool)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


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


class RedisListCache:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard
        self._put_page = client.register_script(PUT_PAGE)
        self._owed: dict[str, str] = {}
        self._lock = threading.Lock()
        self._is_waiting = False

    def generation(self, user_id: str) -> str | None:
        def ask() -> str:
            key = _generation(user_id)
            found = self._redis.get(key)
            if found is None:
                self._redis.set(key, secrets.token_hex(8), nx=True, ex=GENERATION_SECONDS)
                found = self._redis.get(key)
            return str(found.decode()) if found else ""

        return self._guard(ask, "") or None

    def get(self, user_id: str, generation: str, name: str) -> bytes | None:
        found: bytes | None = self._guard(
            lambda: self._redis.get(_page(user_id, generation, name)), None
        )
        return found

    def put(self, user_id: str, generation: str, name: str, page: bytes) -> bool:
        keys = [_generation(user_id), _page(user_id, generation, name)]
        arguments = [generation, page, PAGE_SECONDS]
        return bool(self._guard(lambda: self._put_page(keys=keys, args=arguments), 0))

    def invalidate(self, user_ids: Sequence[str]) -> None:
        with self._lock:
            # Random, so that a generation which was flushed can never come again.
            self._owed |= {user_id: secrets.token_hex(8) for user_id in user_ids}
            owed = dict(self._owed)
        is_settled = not owed or self._guard(lambda: self._renew(owed), False)
        with self._lock:
            if is_settled:
                self._owed = dict(self._owed.items() - owed.items())
            elif not self._is_waiting:
                # Until Redis is back: a page that outlives a short outage would be an old list.
                self._is_waiting = True
                later = threading.Timer(AWAY_SECONDS, self._invalidate_again)
                later.daemon = True
                later.start()
            if len(self._owed) > OWED_MAX:
                self._owed.clear()  # an outage this long outlives the pages

    def _invalidate_again(self) -> None:
        with self._lock:
            self._is_waiting = False
        self.invalidate([])

    def _renew(self, generations: Mapping[str, str]) -> bool:
        pipeline = self._redis.pipeline(transaction=False)
        for user_id, generation in generations.items():
            pipeline.set(_generation(user_id), generation, ex=GENERATION_SECONDS)
        pipeline.execute()
        return True


def _generation(user_id: str) -> str:
    return f"hoist:{{{user_id}}}:generation"


def _page(user_id: str, generation: str, name: str) -> str:
    return f"hoist:{{{user_id}}}:page:{generation}:{name}"


class RedisAnswers:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard
        self._put_answer = client.register_script(PUT_ANSWER)

    def get_many(self, file_ids: Sequence[str]) -> dict[str, Answer]:
        if not file_ids:
            return {}
        keys = [_answer(file_id) for file_id in file_ids]
        found: list[bytes | None] = self._guard(lambda: list(self._redis.mget(keys)), [])
        pairs = zip(file_ids, found, strict=False)
        return {file_id: Answer(**json.loads(kept)) for file_id, kept in pairs if kept}

    def put_many(self, answers: Mapping[str, Answer]) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            for file_id, answer in answers.items():
                text = json.dumps(asdict(answer))
                arguments = [text, ANSWER_SECONDS, answer.state, answer.fingerprint]
                self._put_answer(keys=[_answer(file_id)], args=arguments, client=pipeline)
            pipeline.execute()
            return True

        if answers:
            self._guard(ask, False)


def _answer(file_id: str) -> str:
    return f"hoist:answer:{file_id}"


class RedisConnections:
    def __init__(self, client: Any, guard: Guard, clock: Clock = _now_ms) -> None:
        self._redis, self._guard, self._clock = client, guard, clock

    def add(self, connection: Connection) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            text = json.dumps(asdict(connection))
            pipeline.set(_connection(connection.connection_id), text, ex=CONNECTION_SECONDS)
            pipeline.hset(_of_user(connection.user_id), connection.connection_id, text)
            pipeline.expire(_of_user(connection.user_id), CONNECTION_SECONDS)
            pipeline.execute()
            return True

        self._guard(ask, False)

    def remove(self, connection: Connection) -> None:
        def ask() -> bool:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.delete(_connection(connection.connection_id))
            pipeline.hdel(_of_user(connection.user_id), connection.connection_id)
            pipeline.execute()
            return True

        self._guard(ask, False)

    def find(self, connection_id: str) -> Connection | None:
        found = self._guard(lambda: self._redis.get(_connection(connection_id)), None)
        connection = Connection(**json.loads(found)) if found else None
        return connection if connection and self._is_open(connection) else None

    def of_user(self, user_id: str) -> list[Connection]:
        nothing: list[bytes] = []
        texts = self._guard(lambda: list(self._redis.hvals(_of_user(user_id))), nothing)
        found = [Connection(**json.loads(text)) for text in texts]
        for connection in found:
            if not self._is_open(connection):  # its gateway died, and newer ones keep the hash
                self.remove(connection)
        return [connection for connection in found if self._is_open(connection)]

    def _is_open(self, connection: Connection) -> bool:
        return self._clock() < connection.connected_at_ms + CONNECTION_SECONDS * 1000


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
            self._redis.set(_ticket(ticket), json.dumps(asdict(principal)), ex=lives_seconds)
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
        return Principal(**{**kept, "roles": tuple(kept["roles"])})


def _ticket(ticket: str) -> str:
    return f"hoist:ticket:{ticket}"
