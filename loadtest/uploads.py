"""An upload as a good client does it, over a socket, with a time for each leg.

request to URL   from the frame to the presigned URL, through the log
PUT up to …      the bytes, to storage
stored           from the last byte to the word of storage, over SQS and the log
end to end       all of it

Who hears nothing asks again under the same messageId. A leg fails when its patience ends; what a
refusal by policy tells to wait is waited, and in no leg's time.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust.contrib.fasthttp import FastHttpSession

from loadtest import naming, refusals
from loadtest.books import Books
from loadtest.ledger import ANSWERS, Outcome, Request, as_answer, note
from loadtest.line import Cut, Line
from loadtest.people import User

ANSWER_SECONDS, PATIENCE_SECONDS = 15.0, 60.0
LOOK_SECONDS = 10.0  # without an event, before a client looks by itself
BLOB = os.urandom(17 * 1024**2)

Fire = Callable[..., None]
"""(name, seconds, length=, error=): one line of the statistics"""


class Failed(Exception):
    """This upload goes no further; the statistics have been told why."""


def some_bytes(size: int) -> bytes:
    """Bytes that no two uploads share, of a size up to 16 MiB."""
    start = random.randrange(len(BLOB) - size)
    return BLOB[start : start + size]


class Uploads:
    """One user's, one after the other."""

    def __init__(
        self,
        user: User,
        line: Line,
        http: FastHttpSession,
        books: Books,
        fire: Fire,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.user, self.line, self.http, self.books, self.fire = user, line, http, books, fire
        self.patience_seconds = patience_seconds

    def upload(self, size: int) -> Request | None:
        """From the request until it is stored; None when it failed, or was refused."""
        body = some_bytes(size)
        with self.books.upload(self.user.user_id, new_id(), size) as request:
            began = time.monotonic()
            try:
                told_to_wait, grant = self.ask(request)
                if "upload" in grant:
                    self.put(request, grant["upload"], body)
                    self.until_stored(request)
            except Failed:
                return None
            self.fire("end to end", time.monotonic() - began - told_to_wait, length=size)
            return request

    def ask(self, request: Request) -> tuple[float, dict[str, Any]]:
        """Ask until it is granted; the seconds that refusals told to wait, and the grant.

        Raises ``Failed``.
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
                told_to_wait += self._refused("request to URL", answer)
            elif is_decided:
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
        request.sent = Outcome.UNKNOWN
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
        return bool(event["event"] == "upload.stored")

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """The next event, whatever it is. Raises ``Cut``."""
        event = self.line.receive(seconds)
        if event:
            self.books.ledger.show(self.user.user_id, event)
        return event

    def connect(self) -> None:
        """Raises ``Failed``."""
        began = time.monotonic()
        try:
            self.line.open()
        except Cut as error:
            raise self.failed("connect", time.monotonic() - began, str(error)) from error
        self.fire("connect", time.monotonic() - began)

    def back(self) -> None:
        """After the socket was lost: open it, and hear what was missed. Raises ``Failed``."""
        began = time.monotonic()
        try:
            if not self.line.is_open:
                self.line.open()
                self.fire("reconnect", time.monotonic() - began)
            if self.line.n:
                self.line.send({"action": "resume", "since": self.line.n})
        except Cut as error:
            if not self.line.is_open and time.monotonic() - began > self.patience_seconds:
                raise self.failed("reconnect", time.monotonic() - began, str(error)) from error
            gevent.sleep(random.uniform(0.1, 0.5))

    def _refused(self, name: str, answer: dict[str, Any]) -> float:
        """Wait as a refusal by policy tells; how long. Raises ``Failed`` for any other."""
        self.books.ledger.refuse(str(answer.get("code")))
        seconds = refusals.wait_seconds(answer)
        if seconds is None:
            if refusals.is_policy(answer):
                self.fire("refused by policy", 0.0)
                raise Failed
            raise self.failed(name, 0.0, f"refused: {answer.get('code')}")
        self.fire("told to wait", seconds)
        gevent.sleep(seconds)
        return seconds

    def failed(self, name: str, seconds: float, why: str) -> Failed:
        """Tell the statistics; what to raise."""
        self.fire(name, seconds, error=why)
        return Failed(why)


def new_id() -> str:
    return "m-" + secrets.token_hex(8)
