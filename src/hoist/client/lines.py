"""How one upload talks to the service: over the socket or over REST, with the same answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import httpx

from hoist.client.problems import HoistProblem, Unreachable, problem_from, settled
from hoist.client.rest import Rest
from hoist.client.socket import Conversation, Event
from hoist.client.views import OnEvent, SignedPart, UploadView, WantedPart

ANSWER_SECONDS = 15.0
LOOK_SECONDS = 3.0  # of silence after a request, before looking how far it is
REPORT_TIMEOUT = httpx.Timeout(5)
SETTLED = ("ready", "stored")


class Line(Protocol):
    """One upload's requests. Each raises the refusal it is answered with, ``Expired`` for an
    upload the service gave up, ``Unreachable`` when there is no answer."""

    trace_id: str | None
    has_part_checksums: bool
    """Whether each part has to bring its SHA-256: as the file was announced."""
    wait_seconds: float
    """How long to wait for word of storage before asking for it."""

    @property
    def is_cancelled(self) -> bool:
        """Whether that was heard already."""

    def ask(self) -> UploadView:
        """Send the request, again under its messageId; the upload, ``ready`` or ``stored``."""

    def sign(self, file_id: str, parts: Sequence[WantedPart]) -> list[SignedPart]:
        """Fresh signatures; over a socket late answers to earlier requests may be among them."""

    def complete(self, file_id: str) -> UploadView | None:
        """Join the parts; None while that goes on."""

    def report(self, file_id: str, bytes_sent: int) -> None:
        """Tell how far a single PUT is. Never raises: others follow a report that is lost."""

    def wait(self, seconds: float) -> UploadView | None:
        """What was heard of the upload within *seconds*, also a late refusal of ``complete``."""


def problem_of_event(event: Event) -> HoistProblem:
    """The refusal in *event*. A token that ended is none: the next connection has a fresh one."""
    problem = problem_from(event.get("error", {}), 400)
    return Unreachable(problem.detail) if problem.code == "token_expired" else problem


class SocketLine:
    wait_seconds = 0.5

    def __init__(self, talk: Conversation, message: Mapping[str, Any], on_event: OnEvent) -> None:
        self.trace_id: str | None = None
        self._talk = talk
        self._message = message
        self._id = str(message["messageId"])
        self.has_part_checksums = bool(message["file"].get("partChecksums"))
        self._is_completing = False
        self._looks = 0  # that nobody has answered yet
        self._on_event = on_event

    @property
    def is_cancelled(self) -> bool:
        return self._talk.is_cancelled

    def ask(self) -> UploadView:
        frame = {"action": "upload", **self._message}
        self._on_event("frame.sent", frame, time.time())
        self._talk.say(frame)
        for looks_left in reversed(range(round(ANSWER_SECONDS / LOOK_SECONDS))):
            while event := self._next(LOOK_SECONDS):
                view = self._asked(event)
                if view and view["state"] in SETTLED:
                    return view
            # The service may have lost the event on its way to us; it does not lose the upload.
            if looks_left:
                self._talk.say({"action": "status", "messageId": self._id})
                self._looks += 1
        raise Unreachable("the upload is still in the queue; ask again with its messageId")

    def sign(self, file_id: str, parts: Sequence[WantedPart]) -> list[SignedPart]:
        self._talk.say({"action": "sign", "messageId": self._id, "parts": list(parts)})
        while True:
            event = self._hear()
            if event["event"] == "upload.parts":
                return cast("list[SignedPart]", event["parts"])
            self._view(event)

    def complete(self, file_id: str) -> UploadView | None:
        self._is_completing = True
        self._talk.say({"action": "complete", "messageId": self._id})
        while True:
            event = self._hear()
            if event["event"] == "upload.completing":
                return None
            view = self._view(event)
            if view and view["state"] == "stored":
                return view

    def report(self, file_id: str, bytes_sent: int) -> None:
        frame = {"action": "progress", "messageId": self._id, "bytesSent": bytes_sent}
        self._talk.say_if_open(frame)

    def wait(self, seconds: float) -> UploadView | None:
        try:
            event = self._next(seconds)
        except Unreachable:
            return None  # the event may have been lost with the socket
        # Without a complete, an error is the answer to a progress report: that fails no upload.
        if event is None or (event["event"] == "error" and not self._is_completing):
            return None
        return self._view(event)

    def _hear(self) -> Event:
        event = self._next(ANSWER_SECONDS)
        if event is None:
            raise Unreachable(f"the gateway said nothing for {ANSWER_SECONDS:.0f} seconds")
        return event

    def _next(self, seconds: float) -> Event | None:
        try:
            return self._talk.hear(seconds)
        except Unreachable:
            self._looks = 0  # their answers are lost as well
            raise

    def _asked(self, event: Event) -> UploadView | None:
        if self._is_of_look(event):
            return settled(cast(UploadView, event["upload"])) if "upload" in event else None
        return self._view(event)

    def _is_of_look(self, event: Event) -> bool:
        """What is not found may be in the log, and not in the store yet."""
        code = event.get("error", {}).get("code")
        is_answer: bool = event["event"] == "upload.status" or code == "not_found"
        self._looks -= is_answer and self._looks > 0
        return is_answer

    def _view(self, event: Event) -> UploadView | None:
        """What *event* says about the upload. Raises the end of it."""
        if self._looks and self._is_of_look(event):
            return None  # late: there is a newer answer
        name, file_id = event["event"], str(event.get("fileId", ""))
        if name == "upload.accepted":  # 00-<trace id>-<span>-<flags>, of the request sent last
            parts = str(event.get("traceparent", "")).split("-")
            self.trace_id = parts[1] if len(parts) == 4 else self.trace_id
        elif name in ("upload.rejected", "error"):
            raise problem_of_event(event)
        elif name in ("upload.ready", "upload.stored", "upload.expired", "upload.cancelled"):
            known = {key: event[key] for key in ("upload", "parts", "file") if key in event}
            state = str(name).removeprefix("upload.")
            view = {"fileId": file_id, "messageId": self._id, "state": state, **known}
            return settled(cast(UploadView, view))
        return None


class RestLine:
    wait_seconds = 0.1
    is_cancelled = False  # REST tells only who asks

    def __init__(
        self,
        rest: Rest,
        message: Mapping[str, Any],
        on_event: OnEvent,
        sleep: Callable[[float], None],
    ) -> None:
        self.trace_id: str | None = None
        self.has_part_checksums = bool(message["file"].get("partChecksums"))
        self._rest = rest
        self._message = message
        self._on_event = on_event
        self._sleep = sleep
        self._reports = threading.Lock()
        self._latest: int | None = None
        self._reporting: threading.Thread | None = None

    def __enter__(self) -> RestLine:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._reports:
            reporting = self._reporting
        if reporting:
            reporting.join()

    def ask(self) -> UploadView:
        self._on_event("request.sent", self._message, time.time())
        answer = self._rest.once(
            "POST", "/files/upload", body=self._message, headers={"Prefer": "wait=5"}
        )
        view = settled(answer.json())
        if answer.status_code == 202:  # the event may be lost; the upload is not
            view = settled(self._look(view))
        if view["state"] not in SETTLED:
            raise Unreachable("the upload is still in the queue; ask again with its messageId")
        return view

    def _look(self, accepted: UploadView) -> UploadView:
        try:
            view: UploadView = self._rest.once("GET", f"/uploads/{accepted['fileId']}").json()
        except HoistProblem as problem:
            if problem.code != "not_found":
                raise
            return accepted
        return view

    def sign(self, file_id: str, parts: Sequence[WantedPart]) -> list[SignedPart]:
        answer = self._rest.once("POST", f"/uploads/{file_id}/parts", body={"parts": list(parts)})
        return cast("list[SignedPart]", answer.json()["parts"])

    def complete(self, file_id: str) -> UploadView | None:
        answer = self._rest.once("POST", f"/uploads/{file_id}/complete")
        return settled(answer.json()) if answer.status_code == 200 else None

    def report(self, file_id: str, bytes_sent: int) -> None:
        """In a thread, the latest number only: the bytes must not wait for a slow gateway."""
        with self._reports:
            self._latest = bytes_sent
            if self._reporting:
                return  # it takes the latest when it is done with the one before
            self._reporting = threading.Thread(target=self._post, args=(file_id,), daemon=True)
            self._reporting.start()

    def wait(self, seconds: float) -> UploadView | None:
        self._sleep(seconds)
        return None

    def _post(self, file_id: str) -> None:
        while True:
            with self._reports:
                latest, self._latest = self._latest, None
                if latest is None:
                    self._reporting = None
                    return
            path, body = f"/uploads/{file_id}/progress", {"bytesSent": latest}
            try:
                self._rest.once("POST", path, body=body, timeout=REPORT_TIMEOUT)
            except HoistProblem as problem:
                self._on_event("report.failed", {"detail": problem.detail}, time.time())
