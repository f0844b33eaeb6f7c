"""Redis as memory that may vanish: list pages and answers.

Down     both act as if empty, for a second at a time
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import redis
from pydantic_core import from_json, to_json

from hoist.adapters.redis_client import AWAY_SECONDS, Guard, in_one_trip
from hoist.domain.errors import Unavailable
from hoist.domain.versions import known, members
from hoist.domain.volatile import PAGES_KEPT, Answer, KeptPage

PAGE_SECONDS, ANSWER_SECONDS, GENERATION_SECONDS = 60, 24 * 3600, 24 * 3600
OWED_MAX = 10_000

# Keep a page only in the generation it was read for: a slow reader must not bring an old list back.
# All pages of a generation end with its first one: none is ever older than PAGE_SECONDS.
PUT_PAGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local kept = redis.call('HLEN', KEYS[2])
if kept >= tonumber(ARGV[4]) and redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
if kept == 0 then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
return 1
"""
# "accepted" never replaces anything: it may come late, even from an announcement that has lost. The
# handler decides, so its answers replace all but a grant of another announcement.
PUT_ANSWER = """
local before = redis.call('GET', KEYS[1])
if before then
  if ARGV[3] == 'accepted' then return 0 end
  before = cjson.decode(before)
  if before.state == 'ready' and before.fingerprint ~= ARGV[4] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


class RedisListCache:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard
        self._put_page = client.register_script(PUT_PAGE)
        self._owed: dict[str, int] = {}  # users, and which wish for it was the latest
        self._wishes = itertools.count()
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
            lambda: self._redis.hget(_pages(user_id, generation), name), None
        )
        return found

    def put(self, user_id: str, generation: str, name: str, page: bytes) -> bool:
        keys = [_generation(user_id), _pages(user_id, generation)]
        arguments = [generation, name, page, PAGES_KEPT, PAGE_SECONDS]
        return bool(self._guard(lambda: self._put_page(keys=keys, args=arguments), 0))

    def invalidate(self, user_ids: Sequence[str]) -> None:
        with self._lock:
            wish = next(self._wishes)
            self._owed |= dict.fromkeys(user_ids, wish)
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
                # Forgotten, to bound our memory: once Redis is back, these users may see a list of
                # before their change, until its pages end: PAGE_SECONDS after they were kept.
                self._owed.clear()

    def _invalidate_again(self) -> None:
        with self._lock:
            self._is_waiting = False
        self.invalidate([])

    def _renew(self, user_ids: Iterable[str]) -> bool:
        # Whoever reads next makes a new one, at random, so that none ever comes again. A Redis that
        # is full deletes, too, where it would refuse to write one.
        in_one_trip(self._redis, [("DEL", _generation(user_id)) for user_id in user_ids])
        return True


class RedisKeptPages:
    """Walks through all keys of Redis, a thousand a call; holds the pages of one user."""

    def __init__(self, client: Any) -> None:
        self._redis = client

    def scan(self) -> Iterator[KeptPage]:
        with _answering():
            for key in self._redis.scan_iter(_pages("*", "*"), count=1000):
                user_id, _, generation = key.decode()[len("hoist:{") :].rpartition("}:pages:")
                if self._is_now(user_id, generation):
                    for name, body in self._redis.hgetall(key).items():
                        yield KeptPage(user_id, generation, name.decode(), body)

    def again(self, page: KeptPage) -> KeptPage | None:
        with _answering():
            if not self._is_now(page.user_id, page.generation):
                return None
            body = self._redis.hget(_pages(page.user_id, page.generation), page.name)
        return replace(page, body=body) if body else None

    def _is_now(self, user_id: str, generation: str) -> bool:
        found = self._redis.get(_generation(user_id))
        return bool(found and found.decode() == generation)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable("the cache does not answer") from error


def _generation(user_id: str) -> str:
    return f"hoist:{{{user_id}}}:generation"


def _pages(user_id: str, generation: str) -> str:
    return f"hoist:{{{user_id}}}:pages:{generation}"


class RedisAnswers:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard

    def get_many(self, file_ids: Sequence[str]) -> dict[str, Answer]:
        if not file_ids:
            return {}
        keys = [_answer(file_id) for file_id in file_ids]
        nothing: list[list[bytes | None]] = [[]]
        [found] = self._guard(lambda: in_one_trip(self._redis, [("MGET", *keys)]), nothing)
        pairs = zip(file_ids, found, strict=False)
        return {
            file_id: Answer(**known(Answer, from_json(kept))) for file_id, kept in pairs if kept
        }

    def put_many(self, answers: Mapping[str, Answer]) -> None:
        commands = []
        for file_id, answer in answers.items():
            text = to_json(members(answer))
            arguments = (text, ANSWER_SECONDS, answer.state, answer.fingerprint)
            commands.append(("EVAL", PUT_ANSWER, 1, _answer(file_id), *arguments))
        if commands:
            self._guard(lambda: in_one_trip(self._redis, commands), [])


def _answer(file_id: str) -> str:
    return f"hoist:answer:{file_id}"
