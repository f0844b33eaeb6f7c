"""Somebody who asks for what nobody may have: a request that is not refused is a failure.

Every kind of refusal is tried: identity, shape, size, other people's files, pace, concurrency. What
was granted on the way is cancelled.
"""

from __future__ import annotations

import os
import random
import secrets
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from locust import tag, task

from loadtest.books import BOOKS
from loadtest.ledger import Request, as_answer, note
from loadtest.line import Cut
from loadtest.people import mint
from loadtest.personas import SocketUser
from loadtest.uploads import PATIENCE_SECONDS, new_id

FLAWS = ("expired", "wrong_audience", "foreign_key", "alg_none", "hs256_with_public_key")
FRAMES = 1500
RATE, BURST_SECONDS = 200, 2  # what the local stack's basic tier has a second
AT_ONCE_MAX = 100  # uploads in a frame
DECIDED = ("upload.ready", "upload.rejected", "error")


class Abuser(SocketUser):
    """One person of the basic tier, who tries everything."""

    weight = 5
    tier: ClassVar[str] = "basic"
    think = (1.0, 4.0)

    def on_start(self) -> None:
        super().on_start()
        me = self.call("GET", "/me")
        self.limits: dict[str, int] = me[1]["limits"] if me else {}
        self.forged = [
            mint(os.environ["HOIST_ISSUER"], {"flaw": flaw, "user": "ada"}) for flaw in FLAWS
        ]

    @tag("abuse")
    @task(4)
    def forged_token(self) -> None:
        self.call("GET", "/files", (401,), token=random.choice(self.forged))

    @tag("abuse")
    @task(4)
    def somebody_elses(self) -> None:
        path = random.choice(("/files/{}", "/uploads/{}", "/files/{}/content"))
        self.call("GET", path.format(uuid.uuid4()), (404,), code="not_found")

    @tag("abuse")
    @task(4)
    def too_large(self) -> None:
        size = self.limits["fileSizeMax"] + 1
        with BOOKS.upload(self.person.user_id, new_id(), size) as request:
            self.attempt(lambda: self._must_be_refused(request, "file_too_large"))

    @tag("abuse")
    @task(4)
    def nonsense(self) -> None:
        frames = (
            ({"action": "format"}, "unknown_action"),
            ({"action": "upload", "messageId": "m 1", "file": {}}, "invalid_request"),
            ({"action": "status", "messageId": secrets.token_hex(8)}, "not_found"),
        )
        frame, code = random.choice(frames)
        self.attempt(lambda: self._frame_must_be_refused(frame, code))

    @tag("abuse", "heavy")
    @task(1)
    def flood(self) -> None:
        """Faster than a tier allows: the edge's own guard must answer, and say when."""
        self.attempt(self._flood)

    @tag("abuse", "heavy")
    @task(1)
    def hoard(self) -> None:
        """One more upload at once than the tier allows."""
        self.attempt(lambda: self._hoard(self.limits["concurrentUploads"] + 1, "too_many_uploads"))

    def _must_be_refused(self, request: Request, code: str) -> None:
        began = time.monotonic()
        while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
            try:
                answer = self.uploads.ask_once(request, PATIENCE_SECONDS - waited)
            except Cut:
                request.unanswered()
                self.uploads.back()
                continue
            note(request, answer)
            if answer.get("code") == code:
                self.fire(f"refused: {code}", time.monotonic() - began)
                return
            if "refused" not in answer and answer.get("state") == "accepted":
                continue
            raise self.uploads.failed(f"refused: {code}", waited, f"{answer.get('code')} instead")
        raise self.uploads.failed(f"refused: {code}", waited, "no answer")

    def _frame_must_be_refused(self, frame: dict[str, Any], code: str) -> None:
        began = time.monotonic()
        if not self.line.is_open:
            self.uploads.back()
        try:
            self.line.send(frame)
            while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
                event = self.uploads.hear(PATIENCE_SECONDS - waited)
                if event and event["event"] == "error":
                    told = event["error"]["code"]
                    wrong = None if told == code else f"{told} instead"
                    self.fire(f"refused: {code}", time.monotonic() - began, error=wrong)
                    return
                if event and event["event"].startswith("upload.status"):
                    break
        except Cut:
            return  # nothing is proven
        raise self.uploads.failed(f"refused: {code}", waited, "was not refused")

    def _flood(self) -> None:
        """Proves something only if it was really faster than what is allowed."""
        if not self.line.is_open:
            self.uploads.back()
        began, pongs, refusals = time.monotonic(), 0, list[dict[str, Any]]()
        try:
            for _ in range(FRAMES):
                self.line.send({"action": "ping"})
            while pongs + len(refusals) < FRAMES:
                event = self.uploads.hear(PATIENCE_SECONDS)
                if event is None:
                    break
                if event["event"] == "pong":
                    pongs += 1
                elif event["event"] == "error":
                    refusals.append(event["error"])
        except Cut:
            return
        seconds = time.monotonic() - began
        wrong = [e for e in refusals if e["code"] != "slow_down" or not e.get("retryAfterSeconds")]
        rate = refusals[0].get("limit", RATE) if refusals else RATE
        is_too_many = pongs > rate * (BURST_SECONDS + seconds) + rate
        error = f"{wrong[0]}" if wrong else f"{pongs} in {seconds:.1f} s" if is_too_many else None
        name = "refused: slow_down" if refusals or error else "too slow for a flood"
        self.fire(name, seconds, error=error)

    def _hoard(self, count: int, code: str) -> None:
        began = time.monotonic()
        with ExitStack() as stack:
            own = self.person.user_id
            requests = [stack.enter_context(BOOKS.upload(own, new_id(), 1)) for _ in range(count)]
            try:
                told = self._ask_for_all(requests)
            finally:
                self._cancel(requests)
        seconds = time.monotonic() - began
        refused = [answer for answer in told if "refused" in answer]
        is_right = refused and all(
            answer["code"] == code and answer.get("retryAfterSeconds") for answer in refused
        )
        if len(told) < count:
            self.fire(f"refused: {code}", seconds, error=f"{len(told)} of {count} answers")
        else:
            wrong = None if is_right else f"{[answer.get('code') for answer in refused][:3]}"
            self.fire(f"refused: {code}", seconds, error=wrong)

    def _ask_for_all(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        by_id = {request.message_id: request for request in requests}
        told: dict[str, dict[str, Any]] = {}
        if not self.line.is_open:
            self.uploads.back()
        try:
            for start in range(0, len(requests), AT_ONCE_MAX):
                self.line.send(_frame(requests[start : start + AT_ONCE_MAX]))
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(told) < len(requests) and (left := deadline - time.monotonic()) > 0:
                event = self.uploads.hear(left)
                request = by_id.get(event.get("messageId", "")) if event else None
                if event and request and event["event"] in DECIDED:
                    told[request.message_id] = as_answer(event)
                    note(request, told[request.message_id])
        except Cut:
            pass
        for request in requests:
            if request.message_id not in told:
                request.unanswered()
        return list(told.values())

    def _cancel(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if request.answered and not request.refusal:
                request.is_cancelled = True
                try:
                    self.line.send({"action": "cancel", "messageId": request.message_id})
                except Cut:
                    self.attempt(self.uploads.back)


def _frame(requests: Sequence[Request]) -> dict[str, Any]:
    files = [
        {"messageId": one.message_id, "file": {"name": "hoard.bin", "size": one.size}}
        for one in requests
    ]
    return {"action": "upload", "files": files}
