"""What a client may be told instead of an answer, and how often it asks again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
RETRY_AFTER_SECONDS_MAX = 10.0


class HoistProblem(Exception):
    """A refusal or a failure: ``code`` is stable, ``detail`` is for people.

    ``members`` holds what came beside them, such as ``limit`` for ``file_too_large``.
    """

    def __init__(
        self, code: str, status: int, detail: str, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.members = dict(members or {})

    @property
    def retriable(self) -> bool:
        """Whether the same request may work later."""
        return bool(self.members.get("retriable"))

    @property
    def retry_after_seconds(self) -> float:
        """How long the server asked us to wait, within reason; 0 when it did not say."""
        wanted = self.members.get("retryAfterSeconds")
        if not isinstance(wanted, int | float) or wanted < 0:
            return 0.0
        return min(float(wanted), RETRY_AFTER_SECONDS_MAX)


class Unreachable(HoistProblem):
    """No connection could be made, or it broke before the answer."""

    def __init__(self, detail: str) -> None:
        super().__init__("unreachable", 503, detail, {"retriable": True})


class NotLoggedIn(HoistProblem):
    """There is no token, and none can be had without the user."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_logged_in", 401, detail)


def problem_from(body: object, status: int, text: str = "") -> HoistProblem:
    """The problem in a JSON *body*: an RFC 9457 one, or the ``error`` of an event."""
    if not isinstance(body, dict):
        members = {"retriable": status in (429, 502, 503, 504)}
        return HoistProblem("http_error", status, text or f"HTTP status {status}", members)
    members = {k: v for k, v in body.items() if k not in ("code", "detail", "status")}
    members.setdefault("retriable", status in (429, 502, 503, 504))
    detail = str(body.get("detail") or body.get("title") or f"HTTP status {status}")
    if isinstance(body.get("status"), int):
        status = body["status"]
    return HoistProblem(str(body.get("code", "http_error")), status, detail, members)


@dataclass(frozen=True)
class Retry:
    """Asks again what may work later, after each of ``pauses`` (seconds)."""

    pauses: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0)
    sleep: Callable[[float], None] = time.sleep

    def run(self, once: Callable[[], T]) -> T:
        """The first answer of *once*; raises its last problem, or its first that is final."""
        for pause in self.pauses:
            try:
                return once()
            except HoistProblem as problem:
                if not problem.retriable:
                    raise
                self.sleep(max(pause, problem.retry_after_seconds))
        return once()
