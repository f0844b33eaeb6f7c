"""REST requests to whichever gateway answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from hoist.client.problems import HoistProblem, Retry, Unreachable, problem_from
from hoist.client.tokens import TokenSource

TIMEOUT = httpx.Timeout(30, connect=5)


class Gateways:
    """The gateways' URLs; the one that answered last comes first."""

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ValueError("at least one gateway URL is needed")
        self._urls = [url.rstrip("/") for url in urls]
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return " or ".join(self._urls)

    def in_order(self) -> list[str]:
        with self._lock:
            return list(self._urls)

    def prefer(self, url: str) -> None:
        with self._lock:
            self._urls.remove(url)
            self._urls.insert(0, url)

    def avoid(self, url: str) -> None:
        """It failed: the others come first."""
        with self._lock:
            self._urls.remove(url)
            self._urls.append(url)


class Rest:
    """Every request here may be repeated: uploads carry their messageId, changes are the same
    twice, and a link or an archive that is made twice is only one too many.
    """

    def __init__(self, gateways: Gateways, tokens: TokenSource, retry: Retry) -> None:
        self._gateways = gateways
        self._tokens = tokens
        self._retry = retry
        self._http = httpx.Client(timeout=TIMEOUT)

    def close(self) -> None:
        self._http.close()

    def address(self, path: str) -> str:
        """*path* at the gateway that answered last."""
        return self._gateways.in_order()[0] + path

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, a redirect included. Raises ``HoistProblem`` for a status from 400.

        What may work later is tried again; ``once`` does not.
        """
        return self._retry.run(
            lambda: self.once(method, path, body=body, query=query, headers=headers)
        )

    def once(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> httpx.Response:
        token = self._tokens.access_token()
        request = {"json": body, "params": query, "timeout": timeout}
        answer = self._ask(token, method, path, request, headers or {})
        if answer.status_code == 401:
            token = self._tokens.access_token(refused=token)
            answer = self._ask(token, method, path, request, headers or {})
        if answer.status_code >= 400:
            raise problem_of_answer(answer)
        return answer

    def _ask(
        self,
        token: str,
        method: str,
        path: str,
        request: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> httpx.Response:
        """The answer of the first gateway that has one."""
        headers = {"Authorization": f"Bearer {token}", **headers}
        last: httpx.TransportError | None = None
        for url in self._gateways.in_order():
            try:
                answer = self._http.request(method, url + path, headers=headers, **request)
            except httpx.TransportError as error:
                last = error
                continue
            self._gateways.prefer(url)
            return answer
        raise Unreachable(f"no gateway answers at {self._gateways}") from last


def problem_of_answer(answer: httpx.Response) -> HoistProblem:
    """The problem that *answer* is, whatever sent it."""
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = None
    problem = problem_from(body, answer.status_code, f"the gateway answered {answer.status_code}")
    if (after := answer.headers.get("Retry-After", "")).isdigit():
        problem.members.setdefault("retryAfterSeconds", int(after))
    return problem
