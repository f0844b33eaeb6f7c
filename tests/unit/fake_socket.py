"""The WebSocket half of the little gateway."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

from simple_websocket import ConnectionClosed, Server

from tests.unit.fake_refusal import Refused
from tests.unit.fake_state import TRACE, Service


class Connection:
    """One socket, which several threads may speak on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()

    def say(self, event: dict[str, Any]) -> None:
        event = {"traceparent": f"00-{TRACE}-{'1' * 16}-01", **event}
        with self._lock, suppress(ConnectionClosed, OSError):
            self._server.send(json.dumps(event))

    def close(self) -> None:
        with suppress(ConnectionClosed, OSError):
            self._server.close(1001)


def talk(service: Service, server: Server) -> None:
    """Answer frames until somebody closes the socket."""
    connection = Connection(server)
    with service.lock:
        service.sockets.append(connection)
    with suppress(ConnectionClosed):
        while True:
            frame = json.loads(server.receive())
            service.heard.append(f"frame {frame['action']}")
            if service.break_sockets:
                service.break_sockets -= 1
                connection.close()
                return
            try:
                _answer(service, connection, frame)
            except Refused as refusal:
                _refuse(connection, frame, refusal.error)


def _refuse(connection: Connection, frame: dict[str, Any], error: dict[str, Any]) -> None:
    name = "upload.rejected" if frame["action"] == "upload" else "error"
    ids = {"messageId": frame["messageId"], "fileId": f"id-{frame['messageId']}"}
    connection.say({"event": name, **ids, "error": error})


def _answer(service: Service, connection: Connection, frame: dict[str, Any]) -> None:
    action, message_id = frame["action"], frame.get("messageId")
    ids = {"messageId": message_id, "fileId": f"id-{message_id}"}
    if action == "upload":
        _upload(service, connection, frame, ids)
    elif action == "sign":
        parts = service.sign(ids["fileId"], frame["parts"])
        connection.say({"event": "upload.parts", **ids, "parts": parts})
    elif action == "complete":
        connection.say({"event": "upload.completing", **ids})
        service.complete(ids["fileId"])
    elif action == "progress":
        service.report(ids["fileId"], frame["bytesSent"])
    elif action == "status":
        file = service.files[ids["fileId"]]
        connection.say({"event": "upload.status", **ids, "upload": service.view(file)})
    elif action == "resume":
        with service.lock:
            since = [event for event in service.kept if event["n"] > frame["since"]]
            highest = service.kept[-1]["n"] if service.kept else 0
            for event in since:
                connection.say(event)
            connection.say({"event": "resume.done", "n": highest})
    elif action == "renew":
        service.renewals.append(frame["token"])
        connection.say({"event": "token.renewed", "expiresAt": "2026-01-01T00:00:00Z"})


def _upload(
    service: Service, connection: Connection, frame: dict[str, Any], ids: dict[str, Any]
) -> None:
    file = service.announce(frame)
    log = {"topic": "hoist.ingest.basic", "partition": 1, "offset": 7}
    connection.say({"event": "upload.accepted", **ids, "log": log})
    if service.is_silent_about_ready:
        return
    if file["status"] == "stored" and file["fileId"] not in service.parts:
        connection.say({"event": "upload.ready", **ids, "upload": service.signed(file)})
    elif file["status"] == "stored":
        connection.say({"event": "upload.stored", **ids, "file": file})
    else:
        connection.say({"event": "upload.ready", **ids, **service.how(file)})
