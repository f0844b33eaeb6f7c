"""Uploads over REST: ask for one, look at it, send its parts, follow it, give it up."""

from __future__ import annotations

import logging
import re
import secrets
from typing import Any

from flask import Flask, Response, g, jsonify, request

from hoist.domain.errors import Rejected
from hoist.domain.frames import ProgressReport, SignRequest, UploadRequest
from hoist.domain.model import Principal
from hoist.gateway import problems
from hoist.gateway.bodies import Caller, body
from hoist.gateway.joins import Joins
from hoist.gateway.sessions import Sessions
from hoist.pipeline.ingest import Asked
from hoist.wiring import Services

logger = logging.getLogger(__name__)
WAIT_SECONDS_MAX = 25
JOIN_SECONDS_MAX = 2  # and the store is read then: for 6 s at most, an answer comes within 8


def install(
    app: Flask, services: Services, sessions: Sessions, caller: Caller, joins: Joins
) -> None:
    @app.post("/files/upload")
    def upload() -> tuple[Response, int, dict[str, str]] | Response:
        principal = caller()
        wanted = body(UploadRequest)
        wait = _wait_seconds(request.headers.get("Prefer", ""))
        return _ask(services, sessions, principal, wanted, wait)

    @app.get("/uploads/<file_id>")
    def one_upload(file_id: str) -> Response:
        user_id = caller().user_id
        return jsonify(services.files.upload(user_id, file_id, g.trace_id))

    @app.delete("/uploads/<file_id>")
    def cancel(file_id: str) -> tuple[Response, int, dict[str, str]]:
        user_id = caller().user_id
        services.cancel_upload(user_id, file_id, g.trace_id)
        view = {"fileId": file_id, "state": "cancelling"}
        return jsonify(view), 202, {"Location": f"/uploads/{file_id}"}

    @app.post("/uploads/<file_id>/parts")
    def parts(file_id: str) -> Response:
        user_id = caller().user_id
        wanted = body(SignRequest).parts
        signed = services.send_parts.sign(user_id, file_id, wanted, g.trace_id)
        return jsonify({"parts": signed})

    @app.post("/uploads/<file_id>/complete")
    def complete(file_id: str) -> tuple[Response, int]:
        user_id = caller().user_id
        is_joined = joins.run(user_id, file_id, JOIN_SECONDS_MAX)
        view = services.files.upload(user_id, file_id, g.trace_id)
        return jsonify(view), 200 if is_joined else 202

    @app.post("/uploads/<file_id>/progress")
    def progress(file_id: str) -> Response:
        user_id = caller().user_id
        sent = body(ProgressReport).bytes_sent
        services.track_progress(user_id, file_id, sent, g.trace_id)
        return Response(status=204)


def _ask(
    services: Services, sessions: Sessions, principal: Principal, wanted: UploadRequest, wait: int
) -> tuple[Response, int, dict[str, str]] | Response:
    # An id of its own, so that the URL goes to this request and not to every open socket.
    connection_id = f"rest-{secrets.token_urlsafe(9)}"
    if wait and not sessions.expect(connection_id, principal.user_id):
        wait = 0  # a preference only: 202, and the client looks for itself
    if wait:
        services.feed.add(principal.user_id)
    try:
        [accepted] = services.ingest(principal, [Asked(wanted, g.trace_id)], connection_id)
        if isinstance(accepted, Rejected):
            raise accepted
        place = accepted.event["log"]
        logger.info("request accepted", extra={"fileId": accepted.file_id, **place})
        heard = sessions.wait_for(connection_id, wait) if wait else None
    finally:
        if wait:
            sessions.forget(connection_id)
            services.feed.remove(principal.user_id)
    return _answer(wanted.message_id, accepted.file_id, heard, wait)


def _wait_seconds(prefer: str) -> int:
    """The seconds of ``Prefer: wait=n`` (RFC 7240 section 4.3), at most 25; 0 without one."""
    match = re.search(r"(?:^|[,;\s])wait=\"?(\d{1,6})", prefer)
    return min(int(match[1]), WAIT_SECONDS_MAX) if match else 0


def _answer(
    message_id: str, file_id: str, heard: dict[str, Any] | None, wait: int
) -> tuple[Response, int, dict[str, str]] | Response:
    headers = {"Location": f"/uploads/{file_id}"}
    view: dict[str, Any] = {"fileId": file_id, "messageId": message_id, "state": "accepted"}
    if heard is None:
        return jsonify(view), 202, headers
    if "error" in heard:
        error = dict(heard["error"])
        return problems.problem(
            error.pop("status"), error.pop("code"), error.pop("detail"), **error, fileId=file_id
        )
    view["state"] = heard["event"].removeprefix("upload.")
    view |= {name: heard[name] for name in ("upload", "parts", "file") if name in heard}
    status = 201 if view["state"] in ("ready", "stored") else 200
    return jsonify(view), status, headers | {"Preference-Applied": f"wait={wait}"}
