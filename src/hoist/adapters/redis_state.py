"""Redis as memory that may vanish: list pages and answers.

Down     both act as if empty, for a second at a time
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hoist.adapters.redis_client import AWAY_SECONDS, Guard
from hoist.domain.volatile import Answer

PAGE_SECONDS, ANSWER_SECONDS, GENERATION_SECONDS = 300, 24 * 3600, 24 * 3600
OWED_MAX = 10_000

# Keep a page only in the generation it was read for: a slow reader must not bring an old list back.
PUT_PAGE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""
# "accepted" never replaces anything: it may come late. The handler's answers replace those of the
# same announcement, and refusals of any.
PUT_ANSWER = """
local before = redis.call('GET', KEYS[1])
if before then
  if ARGV[3] == 'accepted' then return 0 end
  before = cjson.decode(before)
  if before.state ~= 'rejected' and before.fingerprint ~= ARGV[4] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


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
