"""A WebSocket client that costs next to nothing, so that servers are measured and not clients.

Frames are masked with zeros, which RFC 6455 allows and which changes no byte.
"""

from __future__ import annotations

import json
import socket
import struct
from base64 import b64encode
from secrets import token_bytes
from typing import Any
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SECONDS_MAX = 60.0


class Closed(Exception):
    """The other end closed the socket."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A whole client frame."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload


class Wire:
    """One socket. Server pings are answered while it reads."""

    def __init__(self, url: str, token: str = "", *, deflate: bool = False) -> None:
        at = urlsplit(url)
        self.socket = socket.create_connection((at.hostname, at.port), timeout=SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        key = b64encode(token_bytes(16)).decode()
        lines = [
            f"GET {at.path or '/ws'} HTTP/1.1",
            f"Host: {at.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *([f"Authorization: Bearer {token}"] if token else []),
            *(["Sec-WebSocket-Extensions: permessage-deflate"] if deflate else []),
        ]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise Closed(head.decode("latin-1"))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, body: dict[str, Any]) -> None:
        self.socket.sendall(frame(json.dumps(body).encode()))

    def receive(self) -> bytes:
        """The next message. Raises ``Closed``, or ``TimeoutError`` after a minute."""
        while True:
            if taken := self.buffered():
                return taken
            self._more()

    def buffered(self) -> bytes:
        """The next message that has come already; empty when there is none."""
        while (found := self._frame()) is not None:
            opcode, payload = found
            if opcode == TEXT:
                return payload
            if opcode == PING:
                self.socket.sendall(frame(payload, PONG))
            elif opcode == CLOSE:
                raise Closed(payload[2:].decode("utf-8", "replace"))
        return b""

    def fill(self) -> None:
        """Take what has come, for ``buffered``."""
        self._more()

    def event(self, *names: str) -> dict[str, Any]:
        """The next of the service's events that is called one of *names*, which ends no upload."""
        while True:
            event: dict[str, Any] = json.loads(self.receive())
            if event["event"] in names:
                return event
            if event["event"] in ("error", "upload.rejected", "upload.expired"):
                raise AssertionError(event)

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, begin = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, begin = struct.unpack_from("!H", buffer, 2)[0], 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, begin = struct.unpack_from("!Q", buffer, 2)[0], 10
        if len(buffer) < begin + size:
            return None
        self._buffer = buffer[begin + size :]
        return buffer[0] & 0x0F, buffer[begin : begin + size]

    def _more(self) -> None:
        data = self.socket.recv(262_144)
        if not data:
            raise Closed("the connection ended")
        self._buffer += data
