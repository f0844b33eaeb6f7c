"""An upload as a good client does it, over a socket, with a time for each leg.

request to URL   from the frame to the presigned URL, through the log
PUT up to …      the bytes, to storage
stored           from the last byte to the word of storage, over SQS and the log
end to end       all of it

Who hears nothing asks again under the same messageId. A leg fails when its patience ends; what a
refusal by policy tells to wait is waited, and in no leg's time; but who was told to wait for too
long in all has failed as well.
"""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import time
from typing import TYPE_CHECKING, Any

import gevent

from loadtest import naming, refusals
from loadtest.books import Books
from loadtest.ledger import ANSWERS, Outcome, Request, as_answer, note
from loadtest.line import Cut, Line
from loadtest.people import User
from loadtest.presence import Failed, Fire, Presence

if TYPE_CHECKING:
    from locust.contrib.fasthttp import FastHttpSession  # importing it patches the whole process

__all__ = ["PATIENCE_SECONDS", "Failed", "Fire", "Uploads", "new_id", "some_bytes"]

ANSWER_SECONDS, PATIENCE_SECONDS = 15.0, 60.0
LOOK_SECONDS = 10.0  # without an event, before a client looks by itself
STORED = "upload.stored"
BLOB = os.urandom(17 * 1024**2)


def some_bytes(size: int) -> bytes:
    """Bytes that no two uploads share, of a size up to 16 MiB."""
    start = random.randrange(len(BLOB) - size)
    return BLOB[start : start + size]


class Uploads(Presence):
    """One user's, one after the other."""

    def __init__(
        self,
        user: User,
        line: Line,
        http: FastHttpSession,
        books: Books,
        fire: Fire,
        patience_seconds: float = PATIENCE_SECONDS,
        refused_seconds_max: float = refusals.WAIT_SECONDS_MAX,
    ) -> None:
        super().__init__(user, line, books, fire, patience_seconds)
        self.http, self.refused_seconds_max = http, refused_seconds_max

    def upload(self, size: int) -> Request | None:
        """From the request until it is stored; None when it failed, or was refused."""
        body = some_bytes(size)
        with self.books.upload(self.user.user_id, new_id(), size) as request:
            began = time.monotonic()
            try:
                told_to_wait, grant = self.ask(request)
                if grant["event"] == STORED:
                    request.md5 = _md5(body)  # what is there must be what would have been sent
                else:
                    self.put(request, self._way(grant), body)
                    self.until_stored(request)
            except Failed:
                return None
            self.fire("end to end", time.monotonic() - began - told_to_wait, length=size)
            return request

    def ask(self, request: Request) -> tuple[float, dict[str, Any]]:
        """Ask until it is granted; the seconds that refusals told to wait, and the grant.

        The grant has a way to send the bytes, or says that they are stored. Raises ``Failed``.
        """
        began, told_to_wait = time.monotonic(), 0.0
        while (waited := time.monotonic() - began - told_to_wait) < self.patience_seconds:
            try:
                answer = self.ask_once(request, min(ANSWER_SECONDS, self.patience_seconds - waited))
            except Cut:
                request.unanswered()
                self.back()
                continue
            _, is_decided = note(request, answer)
            if "refused" in answer:
                told_to_wait += self._refused(request, answer)
            elif is_decided:
                if not _is_grant(answer):
                    raise self.failed("request to URL", waited, f"no URL in {answer['event']}")
                self.fire("request to URL", time.monotonic() - began - told_to_wait)
                return told_to_wait, answer
        request.unanswered()
        raise self.failed("request to URL", waited, "no answer")

    def ask_once(self, request: Request, seconds: float) -> dict[str, Any]:
        """One attempt; the answer as ``note`` takes it. Raises ``Cut``, also when none came."""
        request.attempts += 1
        file = {"name": f"{request.message_id}.bin", "size": request.size}
        self.line.send({"action": "upload", "messageId": request.message_id, "file": file})
        deadline = time.monotonic() + seconds
        accepted: dict[str, Any] | None = None
        while (left := deadline - time.monotonic()) > 0:
            event = self.hear(left)
            if event is None or event.get("messageId") != request.message_id:
                continue
            if event["event"] == "upload.accepted":
                accepted = {"fileId": event["fileId"], "state": "accepted"}
            elif event["event"] in ANSWERS:
                return as_answer(event)
        if accepted:
            return accepted
        raise Cut("no answer")

    def put(self, request: Request, way: dict[str, Any], body: bytes) -> None:
        """The bytes. Raises ``Failed``."""
        request.sent, request.md5 = Outcome.UNKNOWN, _md5(body)
        status = self.send_bytes(naming.put(len(body)), way, body)
        # 412: an attempt whose answer was lost had arrived.
        if status in (200, 412):
            request.sent = Outcome.OK
            return
        if status:
            request.sent = Outcome.FAIL
        raise Failed(f"PUT: {status}")

    def send_bytes(self, name: str, way: dict[str, Any], body: Any) -> int:
        """Exactly the request that was signed; its status, 0 when no answer came."""
        with self.http.request(
            way["method"],
            way["url"],
            name=name,
            headers=way["headers"],
            data=body,
            catch_response=True,
        ) as answer:
            if answer.status_code in (200, 412):
                answer.success()
            else:
                answer.failure(f"{answer.status_code} {(answer.text or '')[:200]}")
            return int(answer.status_code or 0)

    def until_stored(self, request: Request) -> None:
        """Raises ``Failed``."""
        began = last_heard = time.monotonic()
        while (waited := time.monotonic() - began) < self.patience_seconds:
            try:
                event = self.hear(min(LOOK_SECONDS, self.patience_seconds - waited))
                is_late = time.monotonic() - last_heard >= LOOK_SECONDS
                if is_late:
                    last_heard = time.monotonic()
                    self.line.send({"action": "status", "messageId": request.message_id})
            except Cut:
                self.back()
                continue
            if event and self._is_stored(event, request):
                self.fire("stored", time.monotonic() - began)
                return
        raise self.failed("stored", waited, "nobody said so")

    def _is_stored(self, event: dict[str, Any], request: Request) -> bool:
        if event.get("messageId") != request.message_id:
            return False
        if event["event"] == "upload.status":
            return bool(event["upload"]["state"] == "stored")
        return bool(event["event"] == STORED)

    def _way(self, grant: dict[str, Any]) -> dict[str, Any]:
        """For a single PUT. Raises ``Failed``."""
        if "upload" not in grant:
            raise self.failed("request to URL", 0.0, "in parts, for a file that needs none")
        way: dict[str, Any] = grant["upload"]
        return way

    def _refused(self, request: Request, answer: dict[str, Any]) -> float:
        """Wait as a refusal by policy tells; how long.

        Raises ``Failed`` for any other, and when *request* would have waited too long in all.
        """
        name, code = "request to URL", str(answer.get("code"))
        self.books.ledger.refuse(code)
        seconds = refusals.wait_seconds(answer)
        if seconds is None:
            if refusals.is_policy(answer):
                self.fire("refused by policy", 0.0)
                raise Failed
            raise self.failed(name, 0.0, f"refused: {code}")
        if request.waited_seconds + seconds > self.refused_seconds_max:
            raise self.failed(name, 0.0, f"{code} for more than {self.refused_seconds_max:.0f} s")
        self.fire("told to wait", seconds)
        began = time.monotonic()
        try:
            gevent.sleep(seconds)
        finally:  # also when the run ends meanwhile
            request.waited_seconds += time.monotonic() - began
        return seconds


def _is_grant(answer: dict[str, Any]) -> bool:
    way = answer.get("upload") or {}
    return bool(answer["event"] == STORED or answer.get("parts") or way.get("url"))


def _md5(body: bytes) -> str:
    """As storage calls what came in one PUT: its ETag."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def new_id() -> str:
    return "m-" + secrets.token_hex(8)
