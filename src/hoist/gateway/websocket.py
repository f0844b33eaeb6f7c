"""One socket's life: frames in, actions, events out."""

from __future__ import annotations

import logging
import time
from typing import Any

from flask import Request

from hoist import telemetry
from hoist.domain import messages, strict_json
from hoist.domain.errors import HoistError, InvalidRequest, TokenExpired, UnknownAction
from hoist.domain.messages import PingFrame, ResumeFrame, StatusFrame, UploadFrame
from hoist.domain.model import Principal, file_id
from hoist.domain.ports import Connection
from hoist.gateway.sessions import Session, Sessions
from hoist.gateway.socket import ConnectionClosed, SafeServer
from hoist.pipeline.events import error_view, trace_members
from hoist.wiring import Services

logger = logging.getLogger(__name__)
TOKEN_EXPIRED = 4401
RECEIVE_SECONDS = 30.0


def serve(
    services: Services,
    sessions: Sessions,
    socket: SafeServer,
    principal: Principal,
    request: Request,
) -> None:
    """Until the peer goes, or its token expires."""
    session = Session(socket, principal)
    connection = Connection(
        session.connection_id,
        principal.user_id,
        services.settings.gateway_url,
        services.clock(),
        request.remote_addr or "",
        request.headers.get("User-Agent", "")[:200],
    )
    services.feed.add(principal.user_id)
    sessions.open(session)
    services.connections.add(connection)
    logger.info("socket opened", extra={"connectionId": session.connection_id})
    try:
        _converse(services, session)
    except ConnectionClosed:
        pass
    finally:
        sessions.close(session)
        services.connections.remove(connection)
        services.feed.remove(principal.user_id)
        logger.info("socket closed", extra={"connectionId": session.connection_id})


def _converse(services: Services, session: Session) -> None:
    while True:
        left = session.principal.expires_at - services.clock() / 1000
        if left <= 0:
            error = TokenExpired("the token has expired; connect again with a fresh one")
            session.send(_error(error, None, telemetry.new_trace()))
            session.flush()
            session.close(TOKEN_EXPIRED, "token expired")
            return
        text = session.socket.receive(timeout=min(RECEIVE_SECONDS, left))
        if text is None or session.principal.expires_at <= services.clock() / 1000:
            continue
        session.last_active_at = time.time()
        trace_id = telemetry.new_trace()
        telemetry.bind(trace_id)
        message_id = None
        try:
            data = strict_json.decode(text)
            if isinstance(data, dict) and isinstance(data.get("messageId"), str):
                message_id = data["messageId"][:128]
            trace_id = _act(services, session, data, trace_id)
        except HoistError as error:
            session.send(_error(error, message_id, trace_id))


def _act(services: Services, session: Session, data: Any, trace_id: str) -> str:
    """Do what the frame says. Raises ``HoistError``, which the peer hears as an error frame."""
    if not isinstance(data, dict):
        raise InvalidRequest("send a JSON object with an action")
    action = data.get("action")
    model = messages.FRAMES.get(action) if isinstance(action, str) else None
    if model is None:
        known = ", ".join(messages.FRAMES)
        raise UnknownAction(f"action is one of: {known}")
    frame = messages.from_client(model, data)
    if isinstance(frame, UploadFrame):
        _upload(services, session, frame, trace_id)
    elif isinstance(frame, StatusFrame):
        upload = services.files.upload(
            session.principal.user_id, file_id(session.principal.user_id, frame.message_id)
        )
        session.send(_event("upload.status", services, trace_id, frame.message_id, upload=upload))
    elif isinstance(frame, ResumeFrame):
        _resume(services, session, frame, trace_id)
    elif isinstance(frame, PingFrame):
        session.send(_event("pong", services, trace_id, frame.message_id))
    return trace_id


def _upload(services: Services, session: Session, frame: UploadFrame, trace_id: str) -> None:
    this_file = file_id(session.principal.user_id, frame.message_id)
    request = messages.UploadRequest(message_id=frame.message_id, file=frame.file)
    session.hold(this_file)
    try:
        accepted = services.ingest(session.principal, request, session.connection_id, trace_id)
        session.send(accepted.event)
        place = accepted.event["log"]
        logger.info("request accepted", extra={"fileId": accepted.file_id, **place})
    finally:
        session.release(this_file)


def _resume(services: Services, session: Session, frame: ResumeFrame, trace_id: str) -> None:
    n = frame.since
    while kept := services.events.since(session.principal.user_id, n):
        for body in kept:
            session.send(body)
        n = kept[-1]["n"]
    session.send(_event("resume.done", services, trace_id, frame.message_id, n=n))


def _event(
    name: str, services: Services, trace_id: str, message_id: str | None, **members: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {"event": name, "at": messages.iso(services.clock())}
    if message_id:
        body["messageId"] = message_id
    return body | members | trace_members(trace_id)


def _error(error: HoistError, message_id: str | None, trace_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {"event": "error", "error": error_view(error)}
    if message_id:
        body["messageId"] = message_id
    return body | trace_members(trace_id)
