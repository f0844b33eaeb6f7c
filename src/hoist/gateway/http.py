"""The routes: REST, the socket's upgrade, health, and the documents that describe them."""

from __future__ import annotations

import logging
import re
import secrets
from typing import Any

import flask_sock
from flask import Flask, Response, g, jsonify, redirect, request
from flask_sock import Sock
from werkzeug.wrappers import Response as BaseResponse

from hoist import telemetry
from hoist.domain import messages, strict_json
from hoist.domain.errors import InvalidRequest
from hoist.domain.messages import UploadRequest
from hoist.gateway import authorizer, management, openapi, problems, websocket
from hoist.gateway.sessions import Sessions
from hoist.gateway.socket import SafeServer
from hoist.wiring import Services

logger = logging.getLogger(__name__)
BODY_BYTES_MAX = 1024 * 1024
WAIT_SECONDS_MAX = 25
PING_SECONDS = 25
flask_sock.Server = SafeServer


def create_app(services: Services, sessions: Sessions | None = None) -> Flask:
    """The gateway. The caller runs ``services.feed.run(sessions.deliver)`` beside it."""
    sessions = sessions or Sessions()
    app = Flask("hoist", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_SECONDS}
    problems.install(app)
    _around(app, services)
    _uploads(app, services, sessions)
    _files(app, services)
    _health(app, services)
    _socket(app, services, sessions)
    management.install(app, services, sessions)
    openapi.install(app)
    return app


def _around(app: Flask, services: Services) -> None:
    """Every request belongs to a trace, its caller's when it names one; every answer says so."""
    origins = set(services.settings.origins.split(","))

    @app.before_request
    def begin() -> None:
        g.trace_id = telemetry.trace_of(dict(request.headers)) or telemetry.new_trace()
        telemetry.bind(g.trace_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in telemetry.trace_headers(g.get("trace_id", "0" * 32)).items():
            response.headers[name] = value
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Prefer"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
            response.headers["Vary"] = "Origin"
        return response


def _uploads(app: Flask, services: Services, sessions: Sessions) -> None:
    @app.post("/files/upload")
    def upload() -> tuple[Response, int, dict[str, str]] | Response:
        principal = authorizer.bearer(services, request)
        body = messages.from_client(UploadRequest, strict_json.decode(request.get_data()))
        wait = _wait_seconds(request.headers.get("Prefer", ""))
        # An id of its own, so that the URL goes to this request and not to every open socket.
        connection_id = f"rest-{secrets.token_urlsafe(9)}"
        if wait:
            sessions.expect(connection_id)
            services.feed.add(principal.user_id)
        try:
            accepted = services.ingest(principal, body, connection_id, g.trace_id)
            place = accepted.event["log"]
            logger.info("request accepted", extra={"fileId": accepted.file_id, **place})
            heard = sessions.wait_for(connection_id, wait) if wait else None
        finally:
            if wait:
                sessions.forget(connection_id)
                services.feed.remove(principal.user_id)
        return _answer(body.message_id, accepted.file_id, heard, wait)

    @app.get("/uploads/<file_id>")
    def one_upload(file_id: str) -> Response:
        principal = authorizer.bearer(services, request)
        return jsonify(services.files.upload(principal.user_id, file_id))


def _files(app: Flask, services: Services) -> None:
    @app.get("/files")
    def files() -> Response:
        principal = authorizer.bearer(services, request)
        limit = request.args.get("limit")
        if limit is not None and not re.fullmatch(r"-?\d{1,9}", limit):
            raise InvalidRequest("limit is a whole number", "limit")
        cursor = request.args.get("cursor")
        page = services.files.list(principal.user_id, int(limit) if limit else None, cursor)
        return jsonify(page)

    @app.get("/files/<file_id>")
    def one_file(file_id: str) -> Response:
        principal = authorizer.bearer(services, request)
        return jsonify(services.files.get(principal.user_id, file_id))

    @app.get("/files/<file_id>/content")
    def content(file_id: str) -> BaseResponse:
        principal = authorizer.bearer(services, request)
        return redirect(services.files.download_url(principal.user_id, file_id), 302)

    @app.get("/me")
    def me() -> Response:
        principal = authorizer.bearer(services, request)
        return jsonify(services.files.me(principal))


def _health(app: Flask, services: Services) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        told = services.ready()
        is_ready = all(answer == "ok" for answer in told.values())
        return jsonify({"ready": is_ready, "dependencies": told}), 200 if is_ready else 503


def _socket(app: Flask, services: Services, sessions: Sessions) -> None:
    sock = Sock(app)

    @app.post("/ws/ticket")
    def ticket() -> Response:
        principal = authorizer.bearer(services, request)
        lives = authorizer.TICKET_LIVES_SECONDS
        given = services.tickets.issue(principal, lives_seconds=lives)
        return jsonify({"ticket": given, "expiresInSeconds": lives})

    @app.before_request
    def before_upgrade() -> None:
        # flask-sock upgrades before its function runs, so whoever may not enter is stopped here.
        if request.path == "/ws":
            g.principal = authorizer.socket_principal(services, request)
            authorizer.check_upgrade(request)

    @sock.route("/ws")  # type: ignore[untyped-decorator]
    def ws(socket: SafeServer) -> None:
        websocket.serve(services, sessions, socket, g.principal, request)


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
    view |= {"state": "ready", "upload": heard["upload"]}
    return jsonify(view), 201, headers | {"Preference-Applied": f"wait={wait}"}
