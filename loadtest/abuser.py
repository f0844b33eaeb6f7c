"""Somebody who asks for what nobody may have: a request that is not refused is a failure.

Every kind of refusal is tried: identity, shape, size, other people's files, pace, concurrency. What
was granted on the way is cancelled.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import Any, ClassVar

import websocket
from locust import tag, task

from loadtest import edges
from loadtest.books import BOOKS
from loadtest.flood import flood
from loadtest.ledger import Request, as_answer, note
from loadtest.line import Cut
from loadtest.people import mint
from loadtest.persona import gateways
from loadtest.trespass import Trespasser
from loadtest.uploads import PATIENCE_SECONDS, new_id

logger = logging.getLogger(__name__)
FLAWS = ("expired", "wrong_audience", "foreign_key", "alg_none", "hs256_with_public_key")
RATE = 200  # frames: what the local stack's basic tier has a second
AT_ONCE_MAX = 100  # uploads in a frame
DECIDED = ("upload.ready", "upload.rejected", "error")


class Abuser(Trespasser):
    """One person of the basic tier, who tries everything."""

    weight = 5
    tier: ClassVar[str] = "basic"
    think = (1.0, 4.0)

    def on_start(self) -> None:
        super().on_start()
        self.forged = [
            mint(os.environ["HOIST_ISSUER"], {"flaw": flaw, "user": "ada"}) for flaw in FLAWS
        ]
        self.attempt(self.trespass)  # also in the shortest run

    @cached_property
    def limits(self) -> dict[str, int]:
        """What the tier allows. Raises ``Failed``."""
        limits: dict[str, int] = self.insist("GET", "/me")[1]["limits"]
        return limits

    @tag("abuse")
    @task(4)
    def forged_token(self) -> None:
        self.call("GET", "/files", (401,), token=random.choice(self.forged))

    @tag("abuse")
    @task(2)
    def forged_socket(self) -> None:
        self.attempt(self._forged_socket)

    @tag("abuse")
    @task(6)
    def somebody_elses(self) -> None:
        self.attempt(self.trespass)

    @tag("abuse")
    @task(2)
    def somebody_elses_by_frame(self) -> None:
        self.attempt(self.trespass_by_frame)

    @tag("abuse")
    @task(4)
    def too_large(self) -> None:
        self.attempt(self._too_large)

    @tag("abuse")
    @task(4)
    def nonsense(self) -> None:
        word = secrets.token_hex(8)
        frames = (
            ({"action": "format", "messageId": word}, "unknown_action"),
            ({"action": "upload", "messageId": f"m {word}", "file": {}}, "invalid_request"),
            ({"action": "status", "messageId": word}, "not_found"),
        )
        frame, code = random.choice(frames)
        self.attempt(lambda: self.frame_must_be_refused(frame, code))

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

    def _forged_socket(self) -> None:
        began = time.monotonic()
        try:
            found = edges.connect(gateways(), random.choice(self.forged))
        except OSError as error:
            raise self.uploads.failed("refused: forged socket", 0.0, str(error)) from error
        if isinstance(found, websocket.WebSocket):
            found.close(timeout=1)
        wrong = None if found == 401 else "let in" if not isinstance(found, int) else f"{found}"
        self.fire("refused: forged socket", time.monotonic() - began, error=wrong)

    def _too_large(self) -> None:
        size = self.limits["fileSizeMax"] + 1
        with BOOKS.upload(self.person.user_id, new_id(), size) as request:
            self.upload_must_be_refused(request, "file_too_large")

    def _flood(self) -> None:
        """On a socket of its own: what the other one has to hear is not among the pongs."""
        name, began, since = "refused: slow_down", time.monotonic(), time.time()
        socket = None
        try:
            socket = edges.connect(gateways(), self.person.token)
            if isinstance(socket, int):
                raise self.uploads.failed(name, 0.0, f"no socket: {socket}")
            bursts = list(flood(socket, RATE))
        except (OSError, websocket.WebSocketException) as error:
            self.must_be_a_restart(name, since, error)
            return
        finally:
            if isinstance(socket, websocket.WebSocket):
                socket.close(timeout=1)
        seconds = time.monotonic() - began
        if not bursts[-1].is_proof:
            logger.warning("no flood: %d frames took %.0f s", bursts[-1].answers, seconds)
            return
        self.fire(name, seconds, error=bursts[-1].wrong)

    def _hoard(self, count: int, code: str) -> None:
        name, since = f"refused: {code}", time.time()
        self.until_it_answers()
        began = time.monotonic()
        with ExitStack() as stack:
            own = self.person.user_id
            requests = [stack.enter_context(BOOKS.upload(own, new_id(), 1)) for _ in range(count)]
            try:
                told = self._ask_for_all(requests)
            except Cut as cut:
                self.must_be_a_restart(name, since, cut)
                return
            finally:
                self._cancel(requests)
        seconds = time.monotonic() - began
        refused = [answer for answer in told if "refused" in answer]
        is_right = refused and all(
            answer["code"] == code and answer.get("retryAfterSeconds") for answer in refused
        )
        wrong = None if is_right else f"{[answer.get('code') for answer in refused][:3]}"
        if len(told) < count:
            wrong = f"{len(told)} of {count} answers"
        self.fire(name, seconds, error=wrong)

    def _ask_for_all(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        """The answers. Raises ``Cut``."""
        by_id = {request.message_id: request for request in requests}
        told: dict[str, dict[str, Any]] = {}
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
        finally:
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
