"""Who sends what must be refused, and looks whether it was."""

from __future__ import annotations

import secrets
import time
from typing import Any

import gevent

from loadtest import edges, refusals
from loadtest.ledger import Request, note
from loadtest.line import Cut
from loadtest.persona import gateways
from loadtest.personas import SocketUser
from loadtest.uploads import ANSWER_SECONDS, PATIENCE_SECONDS


class Refused(SocketUser):
    """A refusal is a success, anything else a failure. What policy tells to wait is waited."""

    abstract = True

    def upload_must_be_refused(self, request: Request, code: str) -> None:
        """Raises ``Failed``."""
        name, began = f"refused: {code}", time.monotonic()
        while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
            try:
                answer = self.uploads.ask_once(request, PATIENCE_SECONDS - waited)
            except Cut:
                request.unanswered()
                self.uploads.back()
                continue
            note(request, answer)
            if answer.get("code") == code:
                self.fire(name, time.monotonic() - began)
                return
            if wait := refusals.wait_seconds(answer):
                gevent.sleep(wait)
            elif "refused" in answer or answer.get("state") != "accepted":
                raise self.uploads.failed(name, waited, f"{answer.get('code')} instead")
        raise self.uploads.failed(name, waited, "no answer")

    def frame_must_be_refused(self, frame: dict[str, Any], code: str) -> None:
        """The refusal is that of *frame*'s messageId: one of an earlier frame may come late.

        Raises ``Failed``.
        """
        name, began, since = f"refused: {code}", time.monotonic(), time.time()
        while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
            self.until_it_answers()
            try:
                event = self._answer_to(frame, ANSWER_SECONDS)
            except Cut as cut:
                self.must_be_a_restart(name, since, cut)
                continue
            if event is None:
                break
            error = event["error"] if event["event"] == "error" else {"code": event["event"]}
            if error["code"] != code and (wait := refusals.wait_seconds(error)):
                gevent.sleep(wait)
                continue
            wrong = None if error["code"] == code else f"{error['code']} instead"
            self.fire(name, time.monotonic() - began, error=wrong)
            return
        raise self.uploads.failed(name, waited, "was not refused")

    def until_it_answers(self) -> None:
        """Then the socket is known to be open: one that nobody read may have ended long ago.

        Raises ``Failed``.
        """
        began = time.monotonic()
        while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
            if not self.line.is_open:
                self.uploads.back()
            try:
                if self._answer_to({"action": "ping", "messageId": _word()}, ANSWER_SECONDS):
                    return
            except Cut:
                continue
        raise self.uploads.failed("pong", waited, "no answer")

    def must_be_a_restart(self, name: str, since: float, why: Exception) -> None:
        """A gateway that ends its sockets may cut one: that proves nothing.

        Raises ``Failed`` when none did after *since*, a time of day.
        """
        if not edges.is_restarted(gateways(), since):
            raise self.uploads.failed(name, 0.0, f"cut: {why}") from why

    def _answer_to(self, frame: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The event with its messageId; None when none came. Raises ``Cut``."""
        self.line.send(frame)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            event = self.uploads.hear(left)
            if event and event.get("messageId") == frame["messageId"]:
                return event
        return None


def _word() -> str:
    return secrets.token_hex(8)
