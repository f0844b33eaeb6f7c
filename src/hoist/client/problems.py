"""What a client may be told instead of an answer, and how often it asks again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from hoist.client.views import UploadView

T = TypeVar("T")
PATIENCE_SECONDS = 90.0
PAUSE_SECONDS_MIN = 0.1
TOLD_SECONDS = 1.0


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
    def retry_after_seconds(self) -> float | None:
        """How long the server asked us to wait; None when it did not say."""
        wanted = self.members.get("retryAfterSeconds")
        return float(wanted) if isinstance(wanted, int | float) and wanted >= 0 else None


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


class Expired(HoistProblem):
    """The service gave the upload up; asked for again, the same messageId starts it anew."""

    def __init__(self) -> None:
        super().__init__("upload_expired", 410, "the upload expired before all its bytes came")


def cancelled() -> HoistProblem:
    return HoistProblem("upload_cancelled", 409, "the upload was cancelled")


def settled(view: UploadView) -> UploadView:
    """*view*, unless it is the end of the upload without a file: raises that."""
    if view["state"] == "rejected":
        raise problem_from(view.get("error", {}), 400)
    if view["state"] == "cancelled":
        raise cancelled()
    if view["state"] == "expired":
        raise Expired
    return view


class Stopped(HoistProblem):
    """The client itself was told to stop; at the service nothing changed."""

    def __init__(self) -> None:
        super().__init__("stopped", 499, "stopped before the end")


class Patience:
    """The seconds that may still be waited for a service that asks for time. Threads share it."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._lock = Lock()

    def spend(self, seconds: float) -> bool:
        """Whether there was that much left; it is gone now."""
        with self._lock:
            if seconds > self._left:
                return False
            self._left -= seconds
            return True


@dataclass(frozen=True)
class Retry:
    """Asks again what may work later, after each of ``pauses`` (seconds), half longer or shorter.

    By chance, so that those who were cut off at once do not come back at once.
    When the server says how long to wait, that is waited instead, as long as it fits into
    ``patience_seconds`` altogether. *told* hears of whatever costs a second or more: why, and in
    how many seconds it is tried again.
    """

    pauses: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0)
    sleep: Callable[[float], None] = time.sleep
    spread: Callable[[float], float] = lambda pause: pause * random.uniform(0.5, 1.5)
    patience_seconds: float = PATIENCE_SECONDS
    told: Callable[[HoistProblem, float], None] = lambda problem, pause: None

    def patience(self) -> Patience:
        return Patience(self.patience_seconds)

    def run(self, once: Callable[[], T], patience: Patience | None = None) -> T:
        """The first answer of *once*; raises its last problem, or its first that is final.

        *patience* is what is left of it when several runs belong together.
        """
        patience = patience or self.patience()
        pauses = iter(self.pauses)
        while True:
            began = time.monotonic()
            try:
                return once()
            except HoistProblem as problem:
                pause = self._pause(problem, pauses, patience)
                if pause is None:
                    raise
                if pause + time.monotonic() - began >= TOLD_SECONDS:
                    self.told(problem, pause)
            self.sleep(pause)

    def _pause(
        self, problem: HoistProblem, pauses: Iterator[float], patience: Patience
    ) -> float | None:
        """How long to wait before asking again; None when there is no point in it."""
        if not problem.retriable:
            return None
        wanted = problem.retry_after_seconds
        if wanted is None:
            pause = next(pauses, None)
            return None if pause is None else self.spread(pause)
        wanted = max(wanted, PAUSE_SECONDS_MIN)  # 0 must not become a busy loop
        return wanted if patience.spend(wanted) else None


@dataclass(frozen=True)
class Attempts:
    """All the retries of one upload: they share one patience, and end when *check* raises."""

    retry: Retry
    patience: Patience
    check: Callable[[], None]

    def run(self, once: Callable[[], T]) -> T:
        def checked() -> T:
            self.check()
            return once()

        return self.retry.run(checked, self.patience)
