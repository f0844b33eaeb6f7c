"""One upload from request to verdict: ask for a URL, send the bytes, wait for storage's word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hoist.client.lines import Line, RestLine, SocketLine
from hoist.client.parts import PartsUpload
from hoist.client.problems import (
    Attempts,
    Expired,
    HoistProblem,
    Retry,
    Stopped,
    cancelled,
    settled,
)
from hoist.client.progress import REPORT_SECONDS, Reporter, Tally
from hoist.client.rest import Rest
from hoist.client.socket import Socket
from hoist.client.source import Source
from hoist.client.storage import Storage
from hoist.client.views import File, OnEvent, OnProgress, SignedRequest, UploadView

POLL_SECONDS_MAX = 5.0
LIVES = 5  # an upload that expires so often is not getting anywhere


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

    source: Source
    line: Line
    tally: Tally
    attempts: Attempts
    file_id: str = ""
    sent: bool = False


@dataclass(frozen=True)
class Uploads:
    rest: Rest
    socket: Socket
    storage: Storage
    retry: Retry
    on_event: OnEvent
    stored_seconds: float
    parallel: int
    is_stopped: Callable[[], bool]
    report_seconds: float = REPORT_SECONDS
    clock: Callable[[], float] = time.monotonic

    def run(
        self, message: Mapping[str, Any], source: Source, on_progress: OnProgress, over: str
    ) -> Upload:
        """Returns once storage has the file. Raises ``HoistProblem`` for any other end."""
        with self._line(message, over) as line:

            def check() -> None:
                if self.is_stopped():
                    raise Stopped
                if line.is_cancelled:
                    raise cancelled()

            attempts = Attempts(self.retry, self.retry.patience(), check)
            way = _Way(source, line, Tally(on_progress, check), attempts)
            file = self._lives(way)
            way.tally.finish(source.size)
            trace_id = line.trace_id or file.get("traceId")
        return Upload(way.file_id, message["messageId"], file, trace_id, way.sent)

    @contextmanager
    def _line(self, message: Mapping[str, Any], over: str) -> Iterator[Line]:
        if over == "socket":
            with self.socket.conversation(message["messageId"]) as talk:
                yield SocketLine(talk, message, self.on_event)
        else:
            with RestLine(self.rest, message, self.on_event, self.retry.sleep) as line:
                yield line

    def _lives(self, way: _Way) -> File:
        """An upload that expires begins again under the same messageId."""
        for _ in range(LIVES - 1):
            try:
                return self._life(way)
            except Expired:
                way.tally.restart()
        return self._life(way)

    def _life(self, way: _Way) -> File:
        view = way.attempts.run(way.line.ask)
        way.file_id = view["fileId"]
        if "parts" in view:
            return self._send_parts(way, view)
        if "upload" in view:
            self._send_at_once(way, view["upload"])
        return view["file"] if view["state"] == "stored" else self._confirmed(way)

    def _send_at_once(self, way: _Way, signed: SignedRequest) -> None:
        fresh: list[SignedRequest] = [signed]
        renew: list[Callable[[], UploadView]] = [lambda: self._view(way.file_id)]

        def once() -> None:
            if not fresh:
                view = renew[0]()
                if "upload" not in view:
                    return  # no need for one, or not yet: storage's word tells
                fresh.append(view["upload"])
            try:
                way.sent = self._put(way, fresh.pop())
            except HoistProblem as problem:
                if problem.status == 403:
                    renew[0] = way.line.ask
                raise

        way.attempts.run(once)

    def _put(self, way: _Way, signed: SignedRequest) -> bool:
        self.on_event("put.started", {"fileId": way.file_id, "url": signed["url"]}, time.time())
        count = way.tally.of(1)
        report = self._reporter(way)

        def heard(sent: int) -> None:
            count(sent)
            report(sent)

        sent = self.storage.put(signed, way.source.read(heard))
        done = {"fileId": way.file_id, "size": way.source.size, "sent": sent}
        self.on_event("put.done", done, time.time())
        return sent

    def _reporter(self, way: _Way) -> Reporter:
        """Of parts, this is only a nudge: the service asks storage how far they are."""

        def report(sent: int) -> None:
            way.line.report(way.file_id, sent)

        return Reporter(report, way.source.size, self.report_seconds)

    def _send_parts(self, way: _Way, view: UploadView) -> File:
        job = PartsUpload(
            way.line,
            self.storage,
            way.source,
            way.tally,
            way.attempts,
            self.on_event,
            self.parallel,
            self._reporter(way),
        )
        self.on_event("put.started", {"fileId": way.file_id}, time.time())
        job.send(view)
        way.sent = True
        joined = self._joined(way, job)
        done = {"fileId": way.file_id, "size": way.source.size, "sent": True}
        self.on_event("put.done", done, time.time())
        return joined["file"] if joined else self._confirmed(way, job)

    def _joined(self, way: _Way, job: PartsUpload) -> UploadView | None:
        """The stored upload; None while storage joins its parts."""
        while True:
            try:
                view = way.attempts.run(job.complete)
            except HoistProblem as problem:
                job.mend(problem)
            else:
                return view if view and view["state"] == "stored" else None

    def _confirmed(self, way: _Way, job: PartsUpload | None = None) -> File:
        """Wait for the event, and ask whenever it does not come for a while."""
        ends_at = self.clock() + self.stored_seconds
        # What was there already was announced before: ask at once.
        pause = way.line.wait_seconds if way.sent else 0.0
        while self.clock() < ends_at:
            way.attempts.check()
            view = self._heard(way, job, pause) if pause else None
            if view is None:
                view = settled(way.attempts.run(lambda: self._view(way.file_id)))
                pause = min(max(pause, 0.25) * 2, POLL_SECONDS_MAX)
                if job and view["state"] == "ready":
                    view = self._joined(way, job) or view  # harmless when it is being done
            if view["state"] == "stored":
                return view["file"]
        detail = f"the bytes were sent, but storage has not confirmed {way.file_id} yet"
        raise HoistProblem("not_confirmed", 504, detail)

    def _heard(self, way: _Way, job: PartsUpload | None, seconds: float) -> UploadView | None:
        try:
            return way.line.wait(seconds)
        except HoistProblem as problem:
            if job is None:
                raise
            if not problem.retriable:  # else the next look completes again
                job.mend(problem)
                return self._joined(way, job)
            return None

    def _view(self, file_id: str) -> UploadView:
        """The upload; one that is not visible yet counts as accepted."""
        try:
            view: UploadView = self.rest.once("GET", f"/uploads/{file_id}").json()
        except HoistProblem as problem:
            if problem.code != "not_found":
                raise
            return {"fileId": file_id, "state": "accepted"}
        return view
