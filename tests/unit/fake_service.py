"""A gateway and its storage on loopback, real HTTP and WebSocket, as far as a client can tell."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from simple_websocket import Server

from tests.unit.fake_refusal import Refused
from tests.unit.fake_socket import talk
from tests.unit.fake_state import OWNER, TOKEN, TRACE, Service
from tests.unit.fake_storage import send

__all__ = ["OWNER", "TOKEN", "TRACE", "Service", "running_http", "running_service"]


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
        body = self._body()
        self.service.heard.append(f"PUT {self.path} {self.headers.get('If-None-Match')}")
        if len(body) < int(self.headers["Content-Length"]):
            self.close_connection = True  # the client hung up
            return
        assert "Authorization" not in self.headers
        assert "Transfer-Encoding" not in self.headers
        _, _, file_id, *part = self.path.split("/")
        if part:
            status = self.service.put_part(int(part[1]), body)
        else:
            status = self.service.put(file_id, body)
        self._answer(status, b"<Error><Code>Said</Code></Error>")

    def do_POST(self) -> None:
        message = json.loads(self._body() or b"{}")
        if not self._is_allowed():
            return
        self.service.heard.append(f"POST {self.path}")
        try:
            self._post(message)
        except Refused as refusal:
            self._answer(refusal.error["status"], refusal.error)

    def _post(self, message: dict[str, Any]) -> None:
        _, kind, file_id, *verb = [*urlsplit(self.path).path.split("/"), ""][:4]
        if verb in (["shares"], ["restore"]) or kind == "archives":
            self._ask_shelf("POST", message)
        elif kind == "files":
            file = self.service.announce(message)
            if self.service.is_silent_about_ready:
                self._answer(202, {"fileId": file["fileId"], "state": "accepted"})
                return
            self._answer(201, self.service.view(file), Location=f"/uploads/{file['fileId']}")
        elif verb == ["parts"]:
            self._answer(200, {"parts": self.service.sign(file_id, message["parts"])})
        elif verb == ["complete"]:
            self.service.complete(file_id)
            self._answer(200, self.service.view(self.service.files[file_id]))
        else:
            self.service.report(file_id, message["bytesSent"])
            self._answer(204)

    def do_DELETE(self) -> None:
        self.service.heard.append(f"DELETE {self.path}")
        if not self._is_allowed():
            return
        if self.path.startswith("/uploads/"):
            self.service.cancel(self.path.rpartition("/")[2])
            self._answer(202)
        else:
            self._ask_shelf("DELETE")

    def do_PATCH(self) -> None:
        body = json.loads(self._body())
        self.service.heard.append(f"PATCH {self.path}")
        if self._is_allowed():
            self._ask_shelf("PATCH", body)

    def _ask_shelf(self, method: str, body: dict[str, Any] | None = None) -> None:
        try:
            status, found = self.service.shelf.answer(
                self.service.files, method, self.path, body or {}, self.headers.get("If-Match")
            )
        except Refused as refusal:
            status, found = refusal.error["status"], refusal.error
        self._answer(status, b"" if found is None else found)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/ws":
            self._upgrade()
        elif path.startswith("/storage/"):
            assert "Authorization" not in self.headers
            send(self, self.service.storage, self.service.bodies[path.rpartition("/")[2]])
        elif self._is_allowed():
            self._get(path)

    def _upgrade(self) -> None:
        self.service.heard.append("WS")
        if self._is_allowed():
            headers = self.headers.items()
            environ = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers}
            talk(self.service, Server({**environ, "werkzeug.socket": self.connection}))
        self.close_connection = True

    def _get(self, path: str) -> None:
        self.service.heard.append(f"GET {self.path}")
        _, kind, *rest = path.split("/")
        file = self.service.files.get(rest[0]) if rest else None
        if path == "/me":
            self._answer(200, self.service.me())
        elif rest[1:] == ["content"] and file:
            self._answer(302, Location=f"{self.service.url}/storage/{rest[0]}")
        elif kind == "uploads" and file:
            self._answer(200, self.service.view(file))
        else:
            self._ask_shelf("GET")

    def _is_allowed(self) -> bool:
        if self.headers.get("Authorization", "").removeprefix("Bearer ") in self.service.tokens:
            return True
        self._answer(401, {"code": "unauthorized", "detail": "no valid token"})
        return False

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up or are killed are nothing to report."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running_http(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """*handler* behind a URL."""
    with _Server(("127.0.0.1", 0), handler) as server:
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
        try:
            yield service
        finally:
            service.close_sockets()
