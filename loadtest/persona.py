"""What all personas have: an identity, a socket, REST with names and verdicts, time to think."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable
from typing import Any, ClassVar

from gevent import sleep
from locust import FastHttpUser
from locust.env import Environment

from loadtest import naming, options, refusals
from loadtest.books import BOOKS
from loadtest.line import Line
from loadtest.people import User, newcomer
from loadtest.uploads import PATIENCE_SECONDS, Failed, Fire, Uploads

NETWORK_SECONDS = 60.0
MOVED_ON = "moved on to another gateway"

Answer = tuple[int, dict[str, Any], Any]
"""status, body, headers"""


def gateways() -> list[str]:
    return os.environ["HOIST_URL"].split(",")


def fire_into(environment: Environment, context: Callable[[], dict[str, Any]]) -> Fire:
    """What tells the statistics of *environment* one line."""

    def fire(
        name: str, seconds: float, length: int = 0, error: str | None = None, kind: str = "WS"
    ) -> None:
        environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=seconds * 1000,
            response_length=length,
            exception=RuntimeError(error) if error else None,
            context=context(),
        )

    return fire


class Persona(FastHttpUser):
    """Somebody nobody has seen before. ``think`` is the least and the most, in seconds."""

    abstract = True
    network_timeout = connection_timeout = NETWORK_SECONDS
    tier: ClassVar[str] = "basic"
    think: ClassVar[tuple[float, float]] = (1.0, 5.0)

    def on_start(self) -> None:
        self.person: User = newcomer(os.environ["HOIST_ISSUER"], self.tier)
        BOOKS.enter(self.person)
        self.line = Line(gateways(), self.person)
        self.fire = fire_into(self.environment, self.context)
        self.uploads = Uploads(self.person, self.line, self.client, BOOKS, self.fire)

    def on_stop(self) -> None:
        self.line.close()

    def wait_time(self) -> float:
        scale: float = options.of(self.environment).think_scale
        return random.uniform(*self.think) * scale

    def context(self) -> dict[str, Any]:
        return {"persona": type(self).__name__, "tier": self.tier}

    def call(
        self, method: str, path: str, expected: tuple[int, ...] = (200,), **how: Any
    ) -> Answer | None:
        """One request; its answer, or None when that was not expected.

        With ``code`` the refusal must carry it. ``token`` in the place of the own one; "" is none.
        A refusal by policy is no failure, but no answer either: what it tells to wait is waited.
        Where a gateway does not answer the next one is asked, for a minute.
        """
        answer = self._ask(method, path, expected, **how)
        if isinstance(answer, float):
            sleep(answer)
            return None
        return answer

    def insist(
        self, method: str, path: str, expected: tuple[int, ...] = (200,), **how: Any
    ) -> Answer:
        """As ``call``, and asks again for as long as policy refuses, for a minute.

        Raises ``Failed``.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while isinstance(answer := self._ask(method, path, expected, **how), float):
            if time.monotonic() + answer > deadline:
                raise self.uploads.failed("told to wait", answer, f"{method} for over a minute")
            sleep(answer)
        if answer is None:
            raise Failed(path)
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        expected: tuple[int, ...],
        *,
        code: str = "",
        token: str | None = None,
        **how: Any,
    ) -> Answer | float | None:
        """The answer; how long policy tells to wait; or None for any other."""
        token = self.person.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= how.pop("headers", {})
        deadline = time.monotonic() + NETWORK_SECONDS
        urls = itertools.cycle(random.sample(gateways(), len(gateways())))
        while True:
            with self.client.request(
                method,
                next(urls) + path,
                name=naming.route(path),
                headers=headers,
                catch_response=True,
                allow_redirects=False,
                **how,
            ) as answer:
                if not answer.status_code and time.monotonic() < deadline:
                    answer.request_meta["name"] = MOVED_ON
                    answer.success()
                else:
                    return self._judged(answer, expected, code)
            sleep(random.uniform(0.1, 0.5))

    def _judged(self, answer: Any, expected: tuple[int, ...], code: str) -> Answer | float | None:
        is_json = "json" in ((answer.headers or {}).get("content-type") or "")
        body = answer.json() if is_json and answer.text else {}
        if answer.status_code in expected and code in ("", body.get("code")):
            answer.success()
            BOOKS.ledger.show(self.person.user_id, body)
            return answer.status_code, body, answer.headers
        wait = refusals.wait_seconds(body)
        if wait is None:
            told = f"{answer.status_code} {body.get('code', '')}".strip()
            answer.failure(f"{told}, expected {code or expected}")
            return None
        answer.success()
        BOOKS.ledger.refuse(body["code"])
        self.fire("told to wait", wait, kind="REST")
        return wait
