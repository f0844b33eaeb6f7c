"""A WebSocket that survives hostile and slow peers; flask-sock's own does not (DESIGN section 6).

Whole frames only, one writer at a time, a write that stalls ends the socket, input waits in the
peer's own buffers when nobody reads it here, and API Gateway's limits hold: text only, 32 KiB a
frame, 128 KiB a message, no compression.
"""

from __future__ import annotations

import threading
from typing import Any

import simple_websocket
from simple_websocket import ConnectionClosed
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from hoist.domain.errors import InvalidRequest

FRAME_BYTES_MAX, MESSAGE_BYTES_MAX = 32 * 1024, 128 * 1024
WAITING_MAX = 64
WRITE_SECONDS_MAX = 10.0
UNSUPPORTED, TOO_BIG = 1003, 1009

__all__ = ["ConnectionClosed", "SafeServer"]


class _WholeFrames:
    """A socket that sends all or fails, and reads only while there is room for what comes."""

    def __init__(self, inner: Any, waiting: list[str]) -> None:
        self._inner, self._waiting = inner, waiting
        self._writing = threading.Lock()
        self._is_broken = self._is_over = False
        self.room = threading.Event()
        # Reads happen only after a select said that there is data, so this bounds the writes.
        inner.settimeout(WRITE_SECONDS_MAX)

    def send(self, data: bytes) -> int:
        with self._writing:
            if self._is_broken:  # whatever follows half a frame is read as its other half
                raise BrokenPipeError("an earlier frame could not be finished")
            self._is_broken = True
            # ``sendall`` asks for the size of the kernel's buffer first, each time.
            sent = self._inner.send(data)
            if sent < len(data):
                self._inner.sendall(data[sent:])
            self._is_broken = False
        return len(data)

    def recv(self, size: int) -> bytes:
        while self._is_full():
            self.room.clear()
            if self._is_full():
                self.room.wait()
        return b"" if self._is_over else bytes(self._inner.recv(size))

    def end(self) -> None:
        """Let the reader go: nobody takes what waits any more."""
        self._is_over = True
        self.room.set()

    def _is_full(self) -> bool:
        return len(self._waiting) >= WAITING_MAX and not self._is_over

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class SafeServer(simple_websocket.Server):  # type: ignore[misc]
    """Takes the place of ``simple_websocket.Server`` in flask-sock.

    The handshake is read at once, and answered by ``accept``: a peer that knows it is connected
    may count on all that its user is told from then on.
    """

    def handshake(self) -> None:
        if upgrade := getattr(self.sock, "upgrade", None):
            upgrade()  # frames have limits of their own
        # Here and not later: the base class starts its reader right after the handshake.
        self.sock: Any = _WholeFrames(self.sock, self.input_buffer)
        self._parts: list[str] = []
        self._frame_bytes = self._message_bytes = 0
        self._sending = threading.RLock()
        self._welcome = b""
        self._accepted = threading.Event()
        try:
            super().handshake()
        except (RemoteProtocolError, UnicodeError) as error:
            raise InvalidRequest("this is no WebSocket handshake (RFC 6455)") from error

    def accept(self) -> None:
        """Answer the handshake. Raises ``ConnectionClosed`` when it is closed already."""
        if not self.connected:
            raise ConnectionClosed(self.close_reason, self.close_message)
        try:
            self.sock.send(self._welcome)
        except OSError as error:
            raise ConnectionClosed(self.close_reason, self.close_message) from error
        self._accepted.set()

    def send(self, *texts: str) -> None:
        """Each of *texts* is a message of its own; all go in one write, after ``accept``."""
        is_accepted = self._accepted.is_set() or self._accepted.wait(WRITE_SECONDS_MAX)
        with self._sending:
            if not (self.connected and is_accepted):
                raise ConnectionClosed(self.close_reason, self.close_message)
            try:
                data = b"".join(self.ws.send(TextMessage(data=text)) for text in texts)
            except LocalProtocolError as error:  # somebody else said goodbye just now
                raise ConnectionClosed(self.close_reason, self.close_message) from error
            self.sock.send(data)

    def receive(self, timeout: float | None = None) -> str | None:
        """The next message, or None after *timeout* seconds. Raises ``ConnectionClosed``."""
        message: str | None = super().receive(timeout)
        if not self.sock.room.is_set():  # to look is free, to set is not
            self.sock.room.set()
        return message

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Say goodbye with *reason*; a second call, or a peer that is gone, is no error."""
        try:
            if self._accepted.is_set():
                super().close(reason, message)
        except (ConnectionClosed, OSError, LocalProtocolError):
            pass
        self.connected = False
        self.event.set()
        self.sock.end()

    def _handle_events(self) -> bool:
        try:
            return all(self._handle(event) for event in self.ws.events())
        except LocalProtocolError:
            return self._ended()

    def _handle(self, event: Any) -> bool:
        """Whether the connection goes on."""
        if isinstance(event, TextMessage):
            return self._take(event)
        if isinstance(event, BytesMessage):
            return self._refuse(UNSUPPORTED, "text frames only")
        if isinstance(event, Ping):
            self._answer(event.response())
        elif isinstance(event, Pong):
            self.pong_received = True
        elif isinstance(event, Request):
            self.subprotocol = self.choose_subprotocol(event)
            self._welcome = self.ws.send(AcceptConnection(subprotocol=self.subprotocol))
        elif isinstance(event, CloseConnection):
            self.close_reason, self.close_message = event.code, event.reason
            self._answer(event.response())
            return self._ended()
        return True

    def _take(self, event: TextMessage) -> bool:
        size = len(event.data.encode())
        self._frame_bytes += size
        self._message_bytes += size
        if self._frame_bytes > FRAME_BYTES_MAX:
            return self._refuse(TOO_BIG, "a frame has at most 32 KiB")
        if self._message_bytes > MESSAGE_BYTES_MAX:
            return self._refuse(TOO_BIG, "a message has at most 128 KiB")
        if event.data:  # a peer may send empty pieces for ever
            self._parts.append(event.data)
        if event.frame_finished:
            self._frame_bytes = 0
        if event.message_finished:
            self.input_buffer.append("".join(self._parts))
            self._parts, self._message_bytes = [], 0
            self.event.set()
        return True

    def _refuse(self, code: int, reason: str) -> bool:
        self.close_reason, self.close_message = code, reason
        self._answer(CloseConnection(code, reason))
        return self._ended()

    def _answer(self, event: Any) -> None:
        if not self._accepted.wait(WRITE_SECONDS_MAX):
            raise BrokenPipeError("the handshake was never answered")
        with self._sending:
            self.sock.send(self.ws.send(event))

    def _ended(self) -> bool:
        self.connected = False
        self.event.set()
        return False
