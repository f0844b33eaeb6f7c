"""Clients that keep books: they upload over both transports and both gateways, and ask again.

Written from docs/protocol.md. Each acts as a good client does when it hears nothing: it repeats its
request under the same messageId, over whatever still answers.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.exceptions import InvalidStatus

from loadtest.ledger import Ledger, Outcome, Request, note
from loadtest.people import User
from tests.chaos.asking import AWAY, Answer, Asker

ATTEMPTS_MAX = 20
LARGE_BYTES = 5 * 1024**2 + 1000


@dataclass(frozen=True)
class Habits:
    """How often a client does what, from 0 to 1."""

    sends: float = 0.9
    repeats: float = 0.15
    impostor: float = 0.05
    drops: float = 0.05
    socket: float = 0.5
    parts: float = 0.0
    cancels: float = 0.0


class Client:
    """One person at a time, one upload after the other."""

    def __init__(
        self, ledger: Ledger, users: Sequence[User], urls: Sequence[str], seed: str, habits: Habits
    ) -> None:
        self.ledger, self.users, self.urls, self.habits = ledger, users, urls, habits
        self.random = random.Random(seed)
        self.asker = Asker(ledger)
        self.http = self.asker.http

    def close(self) -> None:
        self.asker.close()

    def whose(self, request: Request) -> User:
        return next(user for user in self.users if user.user_id == request.user_id)

    def upload(self, until: Callable[[], bool]) -> Request:
        """One upload as far as it goes; unanswered attempts are repeated while *until* is false."""
        self.asker.catch_up()
        user = self.random.choice(self.users)
        is_large = user.tier == "premium" and self.random.random() < self.habits.parts
        size = LARGE_BYTES if is_large else self.random.randint(1, 4096)
        body = self.random.randbytes(size)
        request = self.ledger.open(user.user_id, "m-" + secrets.token_hex(8), len(body))
        if self.random.random() < self.habits.drops:
            self._ask_and_leave(user, request)
        way = self._until_answered(user, request, until)
        if self.random.random() < self.habits.impostor:
            self._impostor(user, request)
        if way and self.random.random() < self.habits.sends:
            if "url" in way:
                self._send(way, body, request, until)
            else:
                self._send_in_parts(user, way, body, request, until)
        if not request.refusal and self.random.random() < self.habits.cancels:
            self._cancel(user, request)
            return request
        while self.random.random() < self.habits.repeats and request.attempts < ATTEMPTS_MAX:
            self.ask(user, request)
        return request

    def _until_answered(
        self, user: User, request: Request, until: Callable[[], bool]
    ) -> Answer | None:
        for attempt in itertools.count():
            way, is_decided = self.ask(user, request)
            if is_decided or until():
                return way
            time.sleep(min(2.0, 0.1 * 2**attempt) * self.random.uniform(0.5, 1))
        return None

    def ask(self, user: User, request: Request) -> tuple[Answer | None, bool]:
        """One attempt: the way to send the bytes, and whether this request is decided."""
        request.attempts += 1
        url = self.random.choice(self.urls)
        try:
            if self.random.random() < self.habits.socket:
                answer = self.asker.over_socket(url, user, request, request.size)
            else:
                answer = self.asker.over_rest(url, user, request, request.size)
        except (*AWAY, TimeoutError) as error:
            self.ledger.refuse(_how(error))
            self.asker.forget(url, user)
            request.unanswered()
            return None, False
        if "refused" in answer:
            self.ledger.refuse(str(answer.get("code")))
        self.ledger.show(user.user_id, answer)
        return note(request, answer)

    def _ask_and_leave(self, user: User, request: Request) -> None:
        """Say it, and hang up before the answer."""
        request.attempts += 1
        request.unanswered()
        url = self.random.choice(self.urls)
        file = {"name": f"{request.message_id}.bin", "size": request.size}
        frame = {"action": "upload", "messageId": request.message_id, "file": file}
        with contextlib.suppress(*AWAY, TimeoutError):
            self.asker.socket(url, user).send(json.dumps(frame))
        self.asker.forget(url, user)

    def _impostor(self, user: User, request: Request) -> None:
        """Another file under the same messageId: nobody may accept it once the first was."""
        if request.outcome is not Outcome.OK or request.refusal:
            return
        url = self.random.choice(self.urls)
        try:
            answer = self.asker.over_rest(url, user, request, request.size + 1)
        except (*AWAY, TimeoutError):
            return
        self.ledger.show(user.user_id, answer)
        if answer.get("state") in ("ready", "stored"):
            request.impostors += 1

    def _cancel(self, user: User, request: Request) -> None:
        """Whether it is heard or not: from now on it may be gone."""
        for file_id in request.answered:
            request.is_cancelled = True
            with contextlib.suppress(*AWAY):
                url = self.random.choice(self.urls)
                self.http.delete(f"{url}/uploads/{file_id}", headers=user.headers)

    def _send(self, way: Answer, body: bytes, request: Request, until: Callable[[], bool]) -> None:
        request.sent = Outcome.UNKNOWN
        answer = self._insist(
            until, way["method"], way["url"], headers=way["headers"], content=body
        )
        if answer:
            # 412: an attempt whose answer was lost had arrived.
            is_there = answer.is_success or answer.status_code == 412
            request.sent = Outcome.OK if is_there else Outcome.FAIL

    def _send_in_parts(
        self,
        user: User,
        parts: Answer,
        body: bytes,
        request: Request,
        until: Callable[[], bool],
    ) -> None:
        """Ask for signatures, send each part, have them joined."""
        request.sent = Outcome.UNKNOWN
        [file_id] = request.answered
        upload = f"{self.random.choice(self.urls)}/uploads/{file_id}"
        numbers = [{"number": number} for number in range(1, parts["count"] + 1)]
        signed = self._insist(
            until, "POST", f"{upload}/parts", json={"parts": numbers}, headers=user.headers
        )
        if signed is None or signed.is_error:
            return
        for part in signed.json()["parts"]:
            start = (part["number"] - 1) * parts["size"]
            content = body[start : start + parts["size"]]
            answer = self._insist(
                until, part["method"], part["url"], headers=part["headers"], content=content
            )
            if answer is None or answer.is_error:
                return
        joined = self._insist(until, "POST", f"{upload}/complete", headers=user.headers)
        if joined is not None and joined.status_code == 200:
            request.sent = Outcome.OK

    def _insist(
        self, until: Callable[[], bool], method: str, url: str, **how: Any
    ) -> httpx.Response | None:
        """The first answer that is not "not now"; None when it never came."""
        while True:
            try:
                answer = self.http.request(method, url, **how)
            except AWAY:
                answer = None
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                return answer
            if until():
                return None
            time.sleep(0.3)


def _how(error: BaseException) -> str:
    """In what way nothing was said."""
    if isinstance(error, InvalidStatus):
        return f"handshake {error.response.status_code}"
    is_silence = isinstance(error, (TimeoutError, httpx.TimeoutException))
    return "silence" if is_silence else "cut"
