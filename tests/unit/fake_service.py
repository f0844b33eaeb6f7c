"""A gateway and its storage on loopback, real HTTP and WebSocket, as far as a client can tell."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from simple_websocket import ConnectionClosed, Server

TOKEN = "good-token"
TRACE = "6a" * 16
OWNER = "auth0|ada"


@dataclass
class Service:
    """What it holds, what it heard, and what it shall do wrong."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    put_statuses: list[int] = field(default_factory=list)  # answered instead of storing
    break_sockets: int = 0  # how many sockets close before they answer
    refusal: dict[str, Any] | None = None
    is_silent_about_stored: bool = False
    corrupts: bool = False
    url: str = ""
    tellers: list[Callable[[], None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def announce(self, message: dict[str, Any]) -> dict[str, Any]:
        file_id = f"id-{message['messageId']}"
        with self.lock:
            self.files.setdefault(
                file_id,
                {
                    **message["file"],
                    "fileId": file_id,
                    "messageId": message["messageId"],
                    "status": "pending",
                    "createdAt": "2026-01-01T00:00:00.000Z",
                    "traceId": TRACE,
                },
            )
        return self.files[file_id]

    def signed(self, file: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Length": str(file["size"]), "Content-Type": file["contentType"]}
        return {
            "method": "PUT",
            "url": f"{self.url}/storage/{file['fileId']}",
            "headers": {**headers, "If-None-Match": "*"},
            "expiresAt": "2026-01-01T00:15:00.000Z",
        }

    def view(self, file: dict[str, Any]) -> dict[str, Any]:
        is_stored = file["status"] == "stored"
        view = {"fileId": file["fileId"], "messageId": file["messageId"], "file": file}
        if is_stored:
            return {**view, "state": "stored"}
        return {**view, "state": "ready", "upload": self.signed(file)}

    def put(self, file_id: str, body: bytes) -> int:
        with self.lock:
            if self.put_statuses:
                return self.put_statuses.pop(0)
            if file_id in self.bodies:
                return 412
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            if digest != self.files[file_id]["checksumSha256"]:
                return 400
            self.bodies[file_id] = body
            self.files[file_id]["status"] = "stored"
            for tell in self.tellers:
                tell()
            self.tellers.clear()
        return 200


def _talk(service: Service, connection: Server) -> None:
    """The WebSocket half, until somebody closes it."""
    with suppress(ConnectionClosed):
        while True:
            frame = json.loads(connection.receive())
            if service.break_sockets:
                service.break_sockets -= 1
                connection.close(1001)
                return
            _answer_upload(service, connection, frame)


def _answer_upload(service: Service, connection: Server, frame: dict[str, Any]) -> None:
    def say(name: str, **members: Any) -> None:
        ids = {"messageId": frame["messageId"], "fileId": f"id-{frame['messageId']}"}
        trace = f"00-{TRACE}-{'1' * 16}-01"
        connection.send(json.dumps({"event": name, "traceparent": trace, **ids, **members}))

    if service.refusal:
        say("upload.rejected", error=service.refusal)
        return
    file = service.announce(frame)
    say("upload.accepted", log={"topic": "hoist.ingest.basic", "partition": 1, "offset": 7})
    say("upload.ready", upload=service.signed(file))
    if not service.is_silent_about_stored:
        service.tellers.append(lambda: say("upload.stored", file=file))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def _answer(self, status: int, body: bytes | dict[str, Any] = b"", **more: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def do_PUT(self) -> None:
        file_id, body = self.path.rpartition("/")[2], self._body()
        self.service.heard.append(f"PUT {self.path} {self.headers.get('If-None-Match')}")
        if len(body) < int(self.headers["Content-Length"]):
            self.close_connection = True  # the client hung up
            return
        assert "Authorization" not in self.headers
        assert "Transfer-Encoding" not in self.headers
        self._answer(self.service.put(file_id, body), b"<Error><Code>Said</Code></Error>")

    def do_POST(self) -> None:
        message = json.loads(self._body())
        if not self._is_allowed():
            return
        if self.service.refusal:
            self._answer(self.service.refusal["status"], self.service.refusal)
            return
        view = self.service.view(self.service.announce(message))
        self._answer(201, view, Location=f"/uploads/{view['fileId']}")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/ws":
            self._upgrade()
        elif path.startswith("/storage/"):
            body = self.service.bodies[path.rpartition("/")[2]]
            self._answer(200, body[::-1] if self.service.corrupts else body)
        elif self._is_allowed():
            self._get(path, urlsplit(self.path).query)

    def _upgrade(self) -> None:
        self.service.heard.append("WS")
        if self._is_allowed():
            headers = self.headers.items()
            environ = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers}
            _talk(self.service, Server({**environ, "werkzeug.socket": self.connection}))
        self.close_connection = True

    def _get(self, path: str, query: str) -> None:
        self.service.heard.append(f"GET {self.path}")
        _, kind, *rest = path.split("/")
        file = self.service.files.get(rest[0]) if rest else None
        if path == "/me":
            limits = {"fileSizeMax": 104857600, "urlExpiresSeconds": 900}
            me = {"userId": OWNER, "tier": "basic", "roles": ["basic"], "limits": limits}
            self._answer(200, {**me, "premium": limits, "tokenExpiresAt": "2026-01-01T01:00Z"})
        elif path == "/files":
            start = int(query.partition("cursor=")[2] or 0)
            files = list(self.service.files.values())
            more = str(start + 2) if start + 2 < len(files) else None
            self._answer(200, {"files": files[start : start + 2], "nextCursor": more})
        elif file is None:
            problem = {"code": "not_found", "detail": "no such file", "status": 404}
            self._answer(404, problem)
        elif rest[1:] == ["content"]:
            self._answer(302, Location=f"{self.service.url}/storage/{rest[0]}")
        else:
            self._answer(200, file if kind == "files" else self.service.view(file))

    def _is_allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._answer(401, {"code": "unauthorized", "detail": "no valid token"})
        return False

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_http(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """*handler* behind a URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running_service() -> Iterator[Service]:
    service = Service()
    with running_http(type("Handler", (_Handler,), {"service": service})) as service.url:
        yield service
