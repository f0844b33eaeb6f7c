"""``/@connections``: API Gateway's management API (AWS-CONTRACTS section 1), SigV4-signed."""

from __future__ import annotations

import re

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, jsonify, request

from hoist.domain.errors import HoistError, Unavailable
from hoist.domain.messages import iso
from hoist.domain.volatile import Connection
from hoist.gateway.sessions import Session, Sessions
from hoist.wiring import Services

DATA_BYTES_MAX = 128 * 1024
NORMAL = 1000


class Gone(HoistError):
    code, status = "GoneException", 410


class TooLarge(HoistError):
    code, status = "PayloadTooLargeException", 413


class BadId(HoistError):
    code, status = "BadRequestException", 400


class SlowClient(HoistError):
    code, status, retriable = "LimitExceededException", 429, True


def install(app: Flask, services: Services, sessions: Sessions) -> None:
    @app.route("/@connections/<path:connection_id>", methods=["POST", "GET", "DELETE"])
    def connection(connection_id: str) -> Response:
        body = request.get_data()
        services.sigv4_verify(request.method, _raw_url(), dict(request.headers), body)
        if not re.fullmatch(r"[A-Za-z0-9_-]{8,64}={0,2}", connection_id):
            raise BadId("not a connection id")
        if len(body) > DATA_BYTES_MAX:
            raise TooLarge("at most 128 KiB")
        session = sessions.by_id.get(connection_id)
        if session:
            return _here(session, services.connections.find(connection_id), body)
        elsewhere = services.connections.find(connection_id)
        if elsewhere is None or elsewhere.gateway_url == services.settings.gateway_url:
            raise Gone("no such connection, or not any more")
        return _there(services, elsewhere, body)


def _here(session: Session, registered: Connection | None, body: bytes) -> Response:
    if request.method == "GET":
        active_ms = int(session.last_active_at * 1000)
        if registered is None:
            return _told(active_ms, active_ms, "", "")
        ip, agent = registered.source_ip, registered.user_agent
        return _told(registered.connected_at_ms, active_ms, ip, agent)
    if request.method == "DELETE":
        session.close(NORMAL, "Connection Closed Normally")
        return Response(status=204)
    if not session.send_text(body.decode("utf-8", "replace").encode()):
        raise SlowClient("the client reads too slowly")
    return Response(status=200)


def _there(services: Services, connection: Connection, body: bytes) -> Response:
    """Another gateway holds it: ask that one, as any caller would."""
    api = services.management_of(connection)
    try:
        if request.method == "GET":
            found = api.get_connection(ConnectionId=connection.connection_id)
            times = (found["ConnectedAt"], found["LastActiveAt"])
            connected_ms, active_ms = (round(time.timestamp() * 1000) for time in times)
            identity = found["Identity"]
            return _told(connected_ms, active_ms, identity["SourceIp"], identity["UserAgent"])
        if request.method == "DELETE":
            api.delete_connection(ConnectionId=connection.connection_id)
            return Response(status=204)
        api.post_to_connection(ConnectionId=connection.connection_id, Data=body)
    except api.exceptions.GoneException as error:
        raise Gone("no such connection, or not any more") from error
    except api.exceptions.LimitExceededException as error:
        raise SlowClient("the client reads too slowly") from error
    except (ClientError, BotoCoreError) as error:
        raise Unavailable("the gateway that holds the connection does not answer") from error
    return Response(status=200)


def _told(connected_ms: int, active_ms: int, source_ip: str, user_agent: str) -> Response:
    identity = {"sourceIp": source_ip, "userAgent": user_agent}
    times = {"connectedAt": iso(connected_ms), "lastActiveAt": iso(active_ms)}
    return jsonify(times | {"identity": identity})


def _raw_url() -> str:
    """The URL as it was signed: escapes of the path kept as they came."""
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path)
    return f"{request.scheme}://{request.host}{raw}"
