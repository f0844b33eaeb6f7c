"""What clients know of their own requests: the books that a run is judged by.

Every request ends for its client in one of three ways, as in Jepsen's histories: ``ok``, the
service said yes; ``fail``, it said no; ``unknown``, the answer never came. Only the first two bind
the service; the third allows either.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


Name = tuple[str, str]
"""(userId, messageId): the identity of a piece of work"""

# Of a socket: what ends the wait for a way to send.
ANSWERS = ("upload.ready", "upload.stored", "upload.rejected", "upload.expired", "error")
NO_VERDICT = (429, 503, 502, 504)  # answers to an accepted request that leave it open


@dataclass
class Request:
    """One upload as its client knows it, under one messageId, however often it was asked for.

    ``answered`` holds every file id it was ever answered with, ``refusal`` the code of the last
    answer if that was a no to an accepted request. ``sent`` is the outcome of the PUT, None when
    none was tried. ``impostors`` counts other files that were accepted under its messageId. It is
    in doubt once an attempt was never answered: that one may have been accepted. It is open while
    nobody heard what became of the last attempt, whatever an earlier one was answered. ``md5`` is
    of all its bytes, None when they went in parts. Its client was busy with it for ``seconds``, and
    for ``waited_seconds`` of them it did what a refusal told it: wait.
    """

    user_id: str
    message_id: str
    size: int
    outcome: Outcome = Outcome.UNKNOWN
    answered: set[str] = field(default_factory=set)
    refusal: str | None = None
    sent: Outcome | None = None
    attempts: int = 0
    impostors: int = 0
    is_in_doubt: bool = False
    is_open: bool = False
    is_cancelled: bool = False
    md5: str | None = None
    seconds: float = 0.0
    waited_seconds: float = 0.0

    @property
    def name(self) -> Name:
        return self.user_id, self.message_id

    def accepted(self, file_id: str) -> None:
        self.outcome = Outcome.OK
        self.answered.add(file_id)
        self.is_open = True

    def granted(self, file_id: str) -> None:
        self.accepted(file_id)
        self.refusal, self.is_open = None, False

    def rejected(self, code: str, file_id: str) -> None:
        """It was accepted, and a no is what became of it."""
        self.accepted(file_id)
        self.refusal, self.is_open = code, False

    def turned_away(self) -> None:
        """An attempt that was refused before anything was done."""
        if self.outcome is Outcome.UNKNOWN and not self.is_in_doubt:
            self.outcome = Outcome.FAIL

    def unanswered(self) -> None:
        """An attempt whose answer never came."""
        self.is_in_doubt = self.is_open = True
        if self.outcome is Outcome.FAIL:
            self.outcome = Outcome.UNKNOWN


class Ledger:
    """Every request of a run, and every file id that anybody was ever shown."""

    def __init__(self) -> None:
        self.requests: dict[Name, Request] = {}
        self.seen: dict[str, set[str]] = {}
        self.refusals: Counter[str] = Counter()
        self._lock = threading.Lock()

    def open(self, user_id: str, message_id: str, size: int) -> Request:
        """A new request, unknown until somebody answers."""
        request = Request(user_id, message_id, size)
        with self._lock:
            self.requests[request.name] = request
        return request

    def show(self, user_id: str, answer: Any) -> None:
        """Remember the file ids in *answer*, whatever it is: all must be the user's own."""
        found = set(_file_ids(answer))
        with self._lock:
            self.seen.setdefault(user_id, set()).update(found)

    def refuse(self, code: str) -> None:
        """Somebody heard *code* in the place of what they asked for.

        ``silence`` is nothing in time, ``cut`` a connection that ended first.
        """
        with self._lock:
            self.refusals[code] += 1

    def counts(self) -> dict[str, int]:
        """How many requests ended how, and how many bytes were sent."""
        with self._lock:
            requests = list(self.requests.values())
        counts = dict.fromkeys((each.value for each in Outcome), 0)
        for request in requests:
            counts[request.outcome] += 1
        counts["sent"] = sum(request.sent is Outcome.OK for request in requests)
        counts["attempts"] = sum(request.attempts for request in requests)
        return counts


def note(request: Request, answer: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """Enter *answer* into the books; the way to send, and whether the request is decided."""
    status, file_id = answer.get("refused"), answer.get("fileId")
    if status is None and file_id:
        way = answer.get("upload") or answer.get("parts")
        is_decided = answer.get("state") != "accepted"
        (request.granted if is_decided else request.accepted)(file_id)
        return way, is_decided
    if status is not None and not file_id and (status == 429 or status >= 500):
        request.turned_away() if status == 429 else request.unanswered()
        return None, False
    if status is not None and file_id:
        request.rejected(str(answer.get("code")), file_id)
        return None, status not in NO_VERDICT
    request.turned_away()
    return None, True


def as_answer(event: dict[str, Any]) -> dict[str, Any]:
    """What a socket said, as ``note`` takes it."""
    if event["event"] == "error":
        return dict(event["error"]) | {"refused": event["error"]["status"]}
    if event["event"] in ("upload.rejected", "upload.expired"):
        error = event.get("error") or {"code": "expired", "status": 410}
        return dict(error) | {"fileId": event["fileId"], "refused": error["status"]}
    return event


def _file_ids(answer: Any) -> Iterable[str]:
    if isinstance(answer, dict):
        if isinstance(found := answer.get("fileId"), str):
            yield found
        for member in answer.values():
            yield from _file_ids(member)
    elif isinstance(answer, list):
        for member in answer:
            yield from _file_ids(member)
