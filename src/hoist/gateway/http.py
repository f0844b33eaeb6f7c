"""The routes: REST, the socket's upgrade, health, and the documents that describe them."""

from __future__ import annotations

import flask_sock
from flask import Flask, Response, g, jsonify, request
from flask_sock import Sock
from werkzeug.routing import WebsocketMismatch

from hoist.domain.errors import InvalidRequest
from hoist.domain.model import Principal
from hoist.gateway import (
    archives,
    authorizer,
    files,
    handshake,
    health,
    management,
    openapi,
    problems,
    sharing,
    tracing,
    uploads,
)
from hoist.gateway.bodies import Caller
from hoist.gateway.flood import FloodGuard
from hoist.gateway.joins import Joins
from hoist.gateway.sessions import Sessions
from hoist.gateway.socket import SafeServer
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
    guard = FloodGuard(services.policy)
    joins = Joins(lambda user_id, file_id: services.send_parts.complete(user_id, file_id))

    def caller() -> Principal:
        principal = authorizer.bearer(services, request)
        guard.take(principal)
        return principal

    problems.install(app)
    tracing.install(app, services.settings.origins)
    uploads.install(app, services, sessions, caller, joins)
    files.install(app, services, caller)
    archives.install(app, services, caller)
    # Of its own: strangers' addresses push no user's count out.
    sharing.install(app, services, caller, FloodGuard(services.policy))
    health.install(app, services)
    _me(app, services, caller)
    _socket(app, services, caller, SocketLife(services, sessions, guard, joins))
    management.install(app, services, sessions)
    openapi.install(app, openapi.document())
    return app


def _me(app: Flask, services: Services, caller: Caller) -> None:
    @app.get("/me")
    def me() -> Response:
        principal = caller()
        return jsonify(services.files.me(principal))


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
            if isinstance(request.routing_exception, WebsocketMismatch):
                raise InvalidRequest(f"{handshake.HINT} (RFC 6455)")

    @sock.route("/ws")  # type: ignore[untyped-decorator]
    def ws(socket: SafeServer) -> None:
        serve(socket, g.principal, request)
