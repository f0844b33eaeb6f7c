"""How long a peer may take: slow ones hold a connection, and nothing else.

first byte   10 s from the moment it connects; later requests may come within ``keepalive``
headers      10 s from the first byte of a request
body         20 s from the end of the headers; then 408
answer       10 s for each piece of it that the peer does not take

Who is late is cut off. A WebSocket is none of this module's business once it is upgraded.
"""

from __future__ import annotations

import errno
import time
from typing import Any

from gevent.socket import socket as GeventSocket
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.exceptions import RequestTimeout

HEADERS_SECONDS, BODY_SECONDS, TAKE_SECONDS = 10.0, 20.0, 10.0


class PatientSocket(GeventSocket):  # type: ignore[misc]
    """A client's socket, in the place of the one that was accepted."""

    def __init__(self, accepted: GeventSocket) -> None:
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, accepted.detach())
        self._until: float | None = time.monotonic() + HEADERS_SECONDS
        self._is_in_request = self._is_upgraded = False

    def recv(self, *arguments: Any) -> bytes:
        if self._until is None:
            data = bytes(super().recv(*arguments))
            if data and not self._is_in_request:
                self._until = time.monotonic() + HEADERS_SECONDS
            return data
        self.settimeout(max(0.001, self._until - time.monotonic()))
        try:
            return bytes(super().recv(*arguments))
        except TimeoutError as error:
            if self._is_in_request:
                self._until = None
                raise RequestTimeout("the body did not come within 20 seconds") from error
            raise ConnectionResetError(errno.ECONNRESET, "headers too slow") from error
        finally:
            self.settimeout(None)

    def sendall(self, data: Any, flags: int = 0) -> None:
        if self._is_upgraded:
            super().sendall(data, flags)
            return
        self.settimeout(TAKE_SECONDS)
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the answer is not taken") from error
        finally:
            self.settimeout(None)

    def begin(self) -> None:
        """The headers are read."""
        self._is_in_request, self._until = True, time.monotonic() + BODY_SECONDS

    def upgrade(self) -> None:
        """From now on it carries frames."""
        self._is_upgraded, self._until = True, None

    def rest(self) -> None:
        """The request is answered; another may follow."""
        self._is_in_request, self._until = False, None


class PatientWorker(GeventWorker):  # type: ignore[misc]
    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        super().handle(listener, PatientSocket(client), addr)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        sock.begin()
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.rest()
