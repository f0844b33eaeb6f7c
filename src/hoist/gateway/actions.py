"""What each frame does. Refusals are raised, and become error frames."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from hoist import telemetry
from hoist.domain import frames, messages
from hoist.domain.errors import (
    Forbidden,
    HoistError,
    InvalidRequest,
    Unavailable,
    UnknownAction,
)
from hoist.domain.frames import (
    CancelFrame,
    CompleteFrame,
    PingFrame,
    ProgressFrame,
    RenewFrame,
    ResumeFrame,
    SignFrame,
    StatusFrame,
    UploadFrame,
)
from hoist.domain.model import file_id
from hoist.gateway import problems
from hoist.gateway.flood import FloodGuard
from hoist.gateway.joins import Joins
from hoist.gateway.sessions import Session
from hoist.pipeline.events import error_view, trace_members
from hoist.pipeline.ingest import Accepted, Asked
from hoist.wiring import Services

logger = logging.getLogger(__name__)
RESUME_COST = 20  # frames: a resume may bring a thousand events
TOGETHER = 25  # uploads, from which on they wait for no more to go to the log with them


class Actions:
    """The frames of one socket. Uploads wait for ``flush``, which every other frame does first."""

    def __init__(
        self, services: Services, session: Session, guard: FloodGuard, joins: Joins
    ) -> None:
        self._services, self._session = services, session
        self._guard, self._joins = guard, joins
        self._joining: set[str] = set()
        self._asked: list[Asked] = []
        self._by_frame: dict[type[Any], Any] = {
            StatusFrame: self._status,
            SignFrame: self._sign,
            CompleteFrame: self._complete,
            ProgressFrame: self._progress,
            CancelFrame: self._cancel,
            RenewFrame: self._renew,
            ResumeFrame: self._resume,
            PingFrame: self._ping,
        }

    def run(self, data: Any, trace_id: str) -> None:
        """Do what the frame says. Raises ``HoistError``."""
        if not isinstance(data, dict):
            raise InvalidRequest("send a JSON object with an action")
        action = data.get("action")
        model = frames.FRAMES.get(action) if isinstance(action, str) else None
        if model is None:
            raise UnknownAction(f"action is one of: {', '.join(frames.FRAMES)}")
        frame = frames.from_client(model, data)
        count = RESUME_COST if isinstance(frame, ResumeFrame) else 1
        if isinstance(frame, UploadFrame):
            count = len(frame.requests)
        self._guard.take(self._session.principal, count)
        if isinstance(frame, UploadFrame):
            self._asked += [Asked(request, trace_id) for request in frame.requests]
            return
        self.flush()
        telemetry.bind(trace_id)
        if not isinstance(frame, PingFrame):
            self._session.drain()  # what was answered before this need not wait for it
        self._by_frame[model](frame, trace_id)

    @property
    def is_full(self) -> bool:
        return len(self._asked) >= TOGETHER

    def flush(self) -> None:
        """Put what was asked for in the log, all together, and answer each request of it."""
        asked, self._asked = self._asked, []
        if not asked:
            return
        session, user_id = self._session, self._session.principal.user_id
        ids = [file_id(user_id, request.message_id) for request, _ in asked]
        for this_file in ids:
            session.hold(this_file)
        try:
            for one, outcome in zip(asked, self._accept(asked), strict=True):
                telemetry.bind(one.trace_id)
                if isinstance(outcome, HoistError):
                    session.send(error_frame(outcome, one.request.message_id, one.trace_id))
                    continue
                session.send(outcome.event)
                place = outcome.event["log"]
                logger.info("request accepted", extra={"fileId": outcome.file_id, **place})
        finally:
            for this_file in ids:
                session.release(this_file)

    def _accept(self, asked: Sequence[Asked]) -> Sequence[Accepted | HoistError]:
        session = self._session
        try:
            return self._services.ingest(session.principal, asked, session.connection_id)
        except Unavailable as error:
            return [error] * len(asked)
        except Exception:
            telemetry.bind(asked[0].trace_id)
            # A bug must not end every upload on this socket.
            logger.exception("uploads not accepted")
            return [HoistError(problems.OUR_FAULT)] * len(asked)

    def _status(self, frame: StatusFrame, trace_id: str) -> None:
        user_id, this_file = self._file(frame.message_id)
        upload = self._services.files.upload(user_id, this_file, trace_id)
        self._tell("upload.status", trace_id, frame.message_id, upload=upload)

    def _sign(self, frame: SignFrame, trace_id: str) -> None:
        user_id, this_file = self._file(frame.message_id)
        parts = self._services.send_parts.sign(user_id, this_file, frame.parts, trace_id)
        self._tell("upload.parts", trace_id, frame.message_id, fileId=this_file, parts=parts)

    def _complete(self, frame: CompleteFrame, trace_id: str) -> None:
        self._tell("upload.completing", trace_id, frame.message_id)
        user_id, this_file = self._file(frame.message_id)
        if this_file in self._joining:
            return
        self._joining.add(this_file)

        def join() -> None:
            try:
                self._joins.run(user_id, this_file)
            except HoistError as error:
                self._session.send(error_frame(error, frame.message_id, trace_id))
            except Exception:
                logger.exception("parts not joined", extra={"fileId": this_file})
                self._session.send(
                    error_frame(HoistError(problems.OUR_FAULT), frame.message_id, trace_id)
                )
            finally:
                self._joining.discard(this_file)

        threading.Thread(target=join, daemon=True).start()

    def _progress(self, frame: ProgressFrame, trace_id: str) -> None:
        user_id, this_file = self._file(frame.message_id)
        self._services.track_progress(user_id, this_file, frame.bytes_sent, trace_id)

    def _cancel(self, frame: CancelFrame, trace_id: str) -> None:
        user_id, this_file = self._file(frame.message_id)
        self._services.cancel_upload(user_id, this_file, trace_id)
        self._tell("upload.cancelling", trace_id, frame.message_id, fileId=this_file)

    def _renew(self, frame: RenewFrame, trace_id: str) -> None:
        fresh = self._services.verifier.verify(frame.token)
        if fresh.user_id != self._session.principal.user_id:
            raise Forbidden("the token is another user's; open a socket of its own for it")
        self._session.principal = fresh
        until = messages.iso(fresh.expires_at * 1000)
        self._tell("token.renewed", trace_id, frame.message_id, expiresAt=until)

    def _resume(self, frame: ResumeFrame, trace_id: str) -> None:
        n, user_id = frame.since, self._session.principal.user_id
        while kept := self._services.events.since(user_id, n):
            if not all(self._session.send(body) for body in kept) or kept[-1]["n"] <= n:
                break  # nobody reads, or more than a number can tell apart
            self._session.drain()
            n = kept[-1]["n"]
        self._tell("resume.done", trace_id, frame.message_id, n=n)

    def _ping(self, frame: PingFrame, trace_id: str) -> None:
        self._tell("pong", trace_id, frame.message_id)

    def _file(self, message_id: str) -> tuple[str, str]:
        user_id = self._session.principal.user_id
        return user_id, file_id(user_id, message_id)

    def _tell(self, name: str, trace_id: str, message_id: str | None, **members: Any) -> None:
        body: dict[str, Any] = {"event": name, "at": messages.iso(self._services.clock())}
        if message_id:
            body["messageId"] = message_id
        self._session.send(body | members | trace_members(trace_id))


def error_frame(error: HoistError, message_id: str | None, trace_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {"event": "error", "error": error_view(error)}
    if message_id:
        body["messageId"] = message_id
    return body | trace_members(trace_id)
