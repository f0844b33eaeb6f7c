"""The routes: REST, the socket's upgrade, health, and the documents that describe them."""

from __future__ import annotations

import re

import flask_sock
from flask import Flask, Response, g, jsonify, redirect, request
from flask_sock import Sock
from werkzeug.wrappers import Response as BaseResponse

from hoist import telemetry
from hoist.domain.errors import InvalidRequest
from hoist.domain.model import Principal
from hoist.gateway import authorizer, management, openapi, problems, uploads
from hoist.gateway.flood import FloodGuard
from hoist.gateway.joins import Joins
from hoist.gateway.sessions import Sessions
from hoist.gateway.socket import SafeServer
from hoist.gateway.uploads import Caller
from hoist.gateway.websocket import SocketLife
from hoist.wiring import Services

BODY_BYTES_MAX = 1024 * 1024
PING_SECONDS = 25
flask_sock.Server = SafeServer


def create_app(services: Services, sessions: Sessions | None = None) -> Flask:
    """The gateway. The caller runs ``services.feed.run(sessions.deliver)`` beside it."""
    sessions = sessions or Sessions()
    app = Flask("hoist", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_SECONDS}
    guard = FloodGuard(services.policy, services.clock)
    joins = Joins(lambda user_id, file_id: services.send_parts.complete(user_id, file_id))

    def caller() -> Principal:
        principal = authorizer.bearer(services, request)
        guard.take(principal)
        return principal

    problems.install(app)
    _around(app, services)
    uploads.install(app, services, sessions, caller, joins)
    _files(app, services, caller)
    _health(app, services)
    _socket(app, services, caller, SocketLife(services, sessions, guard, joins))
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
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE, OPTIONS"
            response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
            response.headers["Vary"] = "Origin"
        return response


def _files(app: Flask, services: Services, caller: Caller) -> None:
    @app.get("/files")
    def files() -> Response:
        principal = caller()
        limit = request.args.get("limit")
        if limit is not None and not re.fullmatch(r"-?\d{1,9}", limit):
            raise InvalidRequest("limit is a whole number", "limit")
        cursor = request.args.get("cursor")
        page = services.files.list(principal.user_id, int(limit) if limit else None, cursor)
        return jsonify(page)

    @app.get("/files/<file_id>")
    def one_file(file_id: str) -> Response:
        principal = caller()
        return jsonify(services.files.get(principal.user_id, file_id))

    @app.get("/files/<file_id>/content")
    def content(file_id: str) -> BaseResponse:
        principal = caller()
        return redirect(services.files.download_url(principal.user_id, file_id), 302)

    @app.get("/me")
    def me() -> Response:
        principal = caller()
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


def _socket(app: Flask, services: Services, caller: Caller, serve: SocketLife) -> None:
    sock = Sock(app)

    @app.post("/ws/ticket")
    def ticket() -> Response:
        principal = caller()
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
        serve(socket, g.principal, request)
