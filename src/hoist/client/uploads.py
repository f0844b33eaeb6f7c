"""One upload from request to verdict: ask for a URL, send the bytes, wait for storage's word."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

from hoist.client.problems import HoistProblem, Retry, Unreachable, problem_from
from hoist.client.rest import Rest
from hoist.client.socket import Conversation, Event, Socket
from hoist.client.source import Source
from hoist.client.storage import Storage
from hoist.client.views import File, OnEvent, OnProgress, SignedRequest, UploadView

ANSWER_SECONDS = 15.0
POLL_SECONDS_MAX = 5.0


@dataclass(frozen=True)
class Upload:
    """A file that storage holds. ``sent`` is False when it was there before."""

    file_id: str
    message_id: str
    file: File
    trace_id: str | None
    sent: bool


@dataclass
class _Way:
    """How far one upload has come."""

    message: Mapping[str, Any]
    source: Source
    on_progress: OnProgress
    file_id: str = ""
    trace_id: str | None = None
    signed: SignedRequest | None = None
    file: File | None = None
    sent: bool = False


@dataclass(frozen=True)
class Uploads:
    rest: Rest
    socket: Socket
    storage: Storage
    retry: Retry
    on_event: OnEvent
    stored_seconds: float
    clock: Callable[[], float] = time.monotonic

    def run(
        self, message: Mapping[str, Any], source: Source, on_progress: OnProgress, over: str
    ) -> Upload:
        """Returns once storage has the file. Raises ``HoistProblem`` for any other end."""
        way = _Way(message, source, on_progress)
        with self._conversation(message["messageId"], over) as talk:
            self.retry.run(lambda: self._ask(way, talk))
            if way.file is None:
                self.retry.run(lambda: self._put(way))
            if way.file is None:
                self._confirm(way, talk)
        file = cast(File, way.file)
        trace_id = way.trace_id or file.get("traceId")
        return Upload(way.file_id, message["messageId"], file, trace_id, way.sent)

    def _conversation(
        self, message_id: str, over: str
    ) -> AbstractContextManager[Conversation | None]:
        return self.socket.conversation(message_id) if over == "socket" else nullcontext()

    def _ask(self, way: _Way, talk: Conversation | None) -> None:
        """Until there is a URL to send to, or a file."""
        if talk is None:
            self._ask_over_rest(way)
            return
        frame = {"action": "upload", **way.message}
        self.on_event("frame.sent", frame, time.time())
        talk.say(frame)
        while way.signed is None and way.file is None:
            event = talk.hear(ANSWER_SECONDS)
            if event is None:
                raise Unreachable(f"the gateway said nothing for {ANSWER_SECONDS:.0f} seconds")
            _learn(way, event)

    def _ask_over_rest(self, way: _Way) -> None:
        self.on_event("request.sent", way.message, time.time())
        answer = self.rest.call(
            "POST", "/files/upload", body=way.message, headers={"Prefer": "wait=10"}
        )
        view: UploadView = answer.json()
        way.file_id = view["fileId"]
        self._take(way, view)
        if way.signed is None and way.file is None:
            raise Unreachable("the upload is still in the queue; ask again with its messageId")

    def _put(self, way: _Way) -> None:
        if way.signed is None:  # the second attempt: a fresh signature, or no need for one
            self._take(way, self._view(way.file_id))
        if way.signed is None:
            return
        signed, way.signed = way.signed, None
        self.on_event("put.started", {"fileId": way.file_id, "url": signed["url"]}, time.time())
        way.sent = self.storage.put(signed, way.source, way.on_progress)
        done = {"fileId": way.file_id, "size": way.source.size, "sent": way.sent}
        self.on_event("put.done", done, time.time())

    def _confirm(self, way: _Way, talk: Conversation | None) -> None:
        """Wait for the event, and ask whenever it does not come for a while."""
        ends_at = self.clock() + self.stored_seconds
        pause = 0.5 if talk else 0.1
        if not way.sent:  # what was there already was announced before: ask at once
            pause = 0.0
        while way.file is None and self.clock() < ends_at:
            if not self._heard(way, talk, pause):
                self._take(way, self._view(way.file_id))
                pause = min(max(pause, 0.25) * 2, POLL_SECONDS_MAX)
        if way.file is None:
            detail = f"the bytes were sent, but storage has not confirmed {way.file_id} yet"
            raise HoistProblem("not_confirmed", 504, detail)

    def _heard(self, way: _Way, talk: Conversation | None, seconds: float) -> bool:
        """Whether an event came within *seconds*; without a socket this only waits."""
        if talk is None:
            self.retry.sleep(seconds)
            return False
        try:
            event = talk.hear(seconds) if seconds else None
        except Unreachable:
            return False
        if event:
            _learn(way, event)
        return event is not None

    def _view(self, file_id: str) -> UploadView:
        """The upload; one that is not visible yet counts as accepted."""
        try:
            view: UploadView = self.rest.call("GET", f"/uploads/{file_id}").json()
        except HoistProblem as problem:
            if problem.code != "not_found":
                raise
            return {"fileId": file_id, "state": "accepted"}
        return view

    def _take(self, way: _Way, view: UploadView) -> None:
        if view["state"] == "rejected":
            raise problem_from(view.get("error", {}), 400)
        if view["state"] == "stored":
            way.file = view.get("file")
        elif signed := view.get("upload"):
            way.signed = signed


def _learn(way: _Way, event: Event) -> None:
    """Take from *event* what it says about the upload. Raises what it refuses."""
    way.file_id = event.get("fileId") or way.file_id
    # The trace of the request we sent last; 00-<trace id>-<span>-<flags>.
    if event["event"] == "upload.accepted":
        parts = str(event.get("traceparent", "")).split("-")
        way.trace_id = parts[1] if len(parts) == 4 else way.trace_id
    elif event["event"] == "upload.ready":
        way.signed = event["upload"]
    elif event["event"] == "upload.stored":
        way.file = event["file"]
    elif event["event"] in ("upload.rejected", "error"):
        raise problem_from(event.get("error", {}), 400)
