"""A WebSocket that survives hostile and slow peers; flask-sock's own does not (DESIGN section 6).

Who asks for a message reads for it, so input that nobody takes waits in the peer's own buffers, and
a socket has no thread of its own. Whole frames only, one writer at a time, a write that stalls ends
the socket, and API Gateway's limits hold: text only, 32 KiB a frame, 128 KiB a message, no
compression. What frames mean is ``websockets``' to say, which does no I/O itself; only those that
are one whole message of text are read here.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from simple_websocket import ConnectionClosed
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from hoist.domain.errors import InvalidRequest
from hoist.gateway.whole_frames import cut, text_frame, whole_text

logger = logging.getLogger(__name__)
FRAME_BYTES_MAX, MESSAGE_BYTES_MAX = 32 * 1024, 128 * 1024
READ_BYTES = 16 * 1024
WRITE_SECONDS_MAX = 10.0
PING_SECONDS = 25.0
# Of the headers of a handshake; extensions may be offered, and none is agreed on.
NAMES = (
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
)

__all__ = ["ConnectionClosed", "SafeServer"]


class SafeServer:
    """Takes the place of ``simple_websocket.Server`` in flask-sock, under gunicorn.

    The handshake is read at once, and answered by ``accept``: a peer that knows it is connected
    may count on all that its user is told from then on. One thread receives, any may send or close.
    """

    mode = "gunicorn"  # how flask-sock ends a request that needs no answer any more

    def __init__(self, environ: Mapping[str, Any], *, ping_interval: float = PING_SECONDS) -> None:
        """Raises ``InvalidRequest`` when *environ* is no handshake."""
        self.connected = True
        self.close_reason: int = CloseCode.ABNORMAL_CLOSURE
        self.close_message = ""
        self._protocol = ServerProtocol(
            state=State.OPEN, max_size=(MESSAGE_BYTES_MAX, FRAME_BYTES_MAX), logger=logger
        )
        self._welcome = _handshake(self._protocol, environ)
        self._socket = environ["gunicorn.socket"]
        if upgrade := getattr(self._socket, "upgrade", None):
            upgrade()  # frames have limits of their own
        self._accepted = threading.Event()
        self._sending = threading.Lock()
        self._is_broken = False
        self._messages: deque[str] = deque()
        self._rest = b""  # of a frame that has not come whole
        self._pieces: list[bytes] | None = None  # of a message that has not
        self._ping_seconds = ping_interval
        self._heard_at, self._is_asked = time.monotonic(), False

    def accept(self) -> None:
        """Answer the handshake. Raises ``ConnectionClosed`` when it is closed already."""
        with self._sending:
            self._check_open()
            try:
                self._write(self._welcome)
            except OSError as error:
                self._lose()
                raise ConnectionClosed(self.close_reason, self.close_message) from error
            self._accepted.set()

    def send(self, *texts: str) -> None:
        """Each of *texts* is a message of its own; all go in one write, after ``accept``.

        Raises ``ConnectionClosed``, or ``OSError`` when the peer does not take it.
        """
        data = b"".join(map(text_frame, texts))
        is_accepted = self._accepted.is_set() or self._accepted.wait(WRITE_SECONDS_MAX)
        with self._sending:
            self._check_open()
            if not is_accepted:
                raise ConnectionClosed(self.close_reason, self.close_message)
            self._write(data)

    def receive(self, timeout: float | None = None) -> str | None:
        """The next message, or None after *timeout* seconds. Raises ``ConnectionClosed``."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._messages:
            self._check_open()
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._read(left)
        return self._messages.popleft()

    @property
    def is_behind(self) -> bool:
        """Whether the next message is here already."""
        return bool(self._messages)

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Say goodbye with *reason*; a second call, or a peer that is gone, is no error."""
        goodbye = Close(reason or CloseCode.NORMAL_CLOSURE, message or "")
        with self._sending:
            if not self.connected:
                return
            self.close_reason, self.close_message = goodbye.code, goodbye.reason
            with suppress(OSError):
                if self._accepted.is_set():
                    self._write(Frame(Opcode.CLOSE, goodbye.serialize()).serialize(mask=False))
            self._messages.clear()
            self._lose()

    def _read(self, seconds: float | None) -> None:
        """Take what comes within *seconds*; ask a peer that is silent whether it is there."""
        patience = self._heard_at + self._ping_seconds - time.monotonic()
        wait = patience if seconds is None else min(seconds, patience)
        try:
            # Under gevent nobody comes between these two, nor between those of ``_write``.
            self._socket.settimeout(max(0.001, wait))
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            self._look_after()
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        self._heard_at, self._is_asked = time.monotonic(), False
        frames, self._rest = cut(self._rest + data, FRAME_BYTES_MAX)
        for whole in frames:
            if not self.connected:
                return
            text = whole_text(whole, FRAME_BYTES_MAX) if self._pieces is None else None
            if text is None:
                self._understand(whole)
            else:
                self._finish(text)
        if not self._messages:
            time.sleep(0)  # pieces and pings without end: others have their turn

    def _understand(self, data: bytes) -> None:
        """A frame that is not simply a message."""
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            self._take(frame)
        if replies := self._protocol.data_to_send():
            self._reply(replies)

    def _take(self, frame: Any) -> None:
        if frame.opcode is Opcode.BINARY:
            self.close(CloseCode.UNSUPPORTED_DATA, "text frames only")
        elif frame.opcode is Opcode.CLOSE:
            code = Close.parse(frame.data)
            self.close_reason, self.close_message = code.code, code.reason
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT) and self.connected:
            pieces = self._pieces = self._pieces or []
            if frame.data:  # a peer may send empty pieces for ever
                pieces.append(bytes(frame.data))
            if frame.fin:
                self._pieces = None
                self._finish(b"".join(pieces))

    def _finish(self, message: bytes) -> None:
        try:
            self._messages.append(message.decode())
        except UnicodeDecodeError:
            self.close(CloseCode.INVALID_DATA, "text is UTF-8")

    def _reply(self, replies: list[bytes]) -> None:
        """Pongs, and a goodbye: an answer, or to a frame against the protocol. It ends with b''."""
        is_last = replies[-1] == b""
        if is_last and self._protocol.close_rcvd is None and (said := self._protocol.close_sent):
            self.close_reason, self.close_message = said.code, said.reason
        with self._sending:
            if not self.connected:
                return
            try:
                self._write(b"".join(replies))
            except OSError:
                is_last = True
            if is_last:
                self._lose()

    def _look_after(self) -> None:
        """Nothing came. After a whole interval it is asked, after another it is given up."""
        now = time.monotonic()
        if now - self._heard_at < self._ping_seconds:
            return
        if self._is_asked:
            self.close(CloseCode.POLICY_VIOLATION, "Ping/Pong timeout")
            return
        self._heard_at, self._is_asked = now, True
        self._reply([Frame(Opcode.PING, b"").serialize(mask=False)])

    def _write(self, data: bytes) -> None:
        """All of *data*, for who holds the lock. Raises ``OSError``."""
        if self._is_broken:  # whatever follows half a frame is read as its other half
            raise BrokenPipeError("an earlier frame could not be finished")
        self._is_broken = True
        self._socket.settimeout(WRITE_SECONDS_MAX)
        # ``sendall`` asks for the size of the kernel's buffer first, each time.
        sent = self._socket.send(data)
        if sent < len(data):
            self._socket.sendall(data[sent:])
        self._is_broken = False

    def _check_open(self) -> None:
        if not self.connected:
            raise ConnectionClosed(self.close_reason, self.close_message)

    def _lose(self) -> None:
        """It is over, also for whoever reads at this moment."""
        self.connected = False
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)


def _handshake(protocol: ServerProtocol, environ: Mapping[str, Any]) -> bytes:
    """The answer to the handshake in *environ*, which agrees on no extension."""
    headers = Headers()
    for name in NAMES:
        if found := environ.get("HTTP_" + name.upper().replace("-", "_")):
            headers[name] = found
    try:
        key, _, _ = protocol.process_request(Request("/ws", headers))
    except InvalidHandshake as error:
        raise InvalidRequest(f"this is no WebSocket handshake (RFC 6455): {error}") from error
    answer = Headers(Upgrade="websocket", Connection="Upgrade")
    answer["Sec-WebSocket-Accept"] = key
    return Response(101, "Switching Protocols", answer).serialize()
