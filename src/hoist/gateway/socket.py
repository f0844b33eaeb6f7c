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
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from hoist.gateway.handshake import answer_to
from hoist.gateway.whole_frames import cut, text_frame, whole_text

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)  # the protocol's own debugging shows what frames hold
FRAME_BYTES_MAX, MESSAGE_BYTES_MAX = 32 * 1024, 128 * 1024
READ_BYTES = 16 * 1024
WRITE_SECONDS_MAX = 10.0
TURN_FRAMES = 64  # of one read

__all__ = ["ConnectionClosed", "SafeServer"]


class SafeServer:
    """Takes the place of ``simple_websocket.Server`` in flask-sock, under gunicorn.

    The handshake is read at once, and answered by ``accept``: a peer that knows it is connected
    may count on all that its user is told from then on. One thread receives, any may send or close.
    """

    mode = "gunicorn"  # how flask-sock ends a request that needs no answer any more

    def __init__(self, environ: Mapping[str, Any], *, ping_interval: float) -> None:
        """Raises ``InvalidRequest`` when *environ* is no handshake."""
        self.connected = True
        self.close_reason: int = CloseCode.ABNORMAL_CLOSURE
        self.close_message = ""
        self._protocol = ServerProtocol(
            state=State.OPEN, max_size=(MESSAGE_BYTES_MAX, FRAME_BYTES_MAX), logger=logger
        )
        self._welcome = answer_to(self._protocol, environ)
        self._socket = environ["gunicorn.socket"]
        if upgrade := getattr(self._socket, "upgrade", None):
            upgrade()  # frames have limits of their own
        self._is_accepted, self._decided = False, threading.Event()
        self._sending = threading.Lock()
        self._is_broken = False
        self._messages: deque[str] = deque()
        self._rest = b""  # of a frame that has not come whole
        self._pieces: bytearray | None = None  # of a message that has not
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
            self._is_accepted = True
            self._decided.set()

    def send(self, *texts: bytes) -> None:
        """Each of *texts* is a message in UTF-8; all go in one write, after ``accept``.

        Raises ``ConnectionClosed``, or ``OSError`` when the peer does not take it.
        """
        data = b"".join(map(text_frame, texts))
        is_decided = self._decided.is_set() or self._decided.wait(WRITE_SECONDS_MAX)
        with self._sending:
            self._check_open()
            if not is_decided:
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
                if self._is_accepted:
                    self._write(Frame(Opcode.CLOSE, goodbye.serialize()).serialize(mask=False))
            self._messages.clear()
            self._lose()

    def _read(self, seconds: float | None) -> None:
        """Take what comes within *seconds*; ask a peer that is silent whether it is there."""
        patience = self._heard_at + self._ping_seconds - time.monotonic()
        wait = patience if seconds is None else min(seconds, patience)
        try:
            # Under gevent nobody comes between these two.
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
        frames, self._rest = cut(self._rest + data, FRAME_BYTES_MAX)
        if frames:  # a frame in drips proves no peer that understands
            self._heard_at, self._is_asked = time.monotonic(), False
        for number, whole in enumerate(frames, start=1):
            if number % TURN_FRAMES == 0:
                time.sleep(0)  # thousands of pings or pieces may have come: others have their turn
            if not self.connected:
                return
            text = whole_text(whole, FRAME_BYTES_MAX) if self._pieces is None else None
            if text is None:
                self._understand(whole)
            else:
                self._finish(text)
        if not self._messages:
            time.sleep(0)  # nor may there be an end of them

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
            pieces = self._pieces = bytearray() if self._pieces is None else self._pieces
            pieces += frame.data
            if frame.fin:
                self._pieces = None
                self._finish(bytes(pieces))

    def _finish(self, message: bytes) -> None:
        try:
            self._messages.append(message.decode())
        except UnicodeDecodeError:
            self.close(CloseCode.INVALID_DATA, "text is UTF-8")

    def _reply(self, replies: list[bytes]) -> None:
        """Pongs, and a goodbye: an answer, or to a frame against the protocol. It ends with b''."""
        is_last = replies[-1] == b""
        said = self._protocol.close_sent
        if is_last and said and said is not self._protocol.close_rcvd:
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
        until = time.monotonic() + WRITE_SECONDS_MAX
        while data:
            # Each time: whoever reads meanwhile waits for as long as it likes.
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            data = data[self._socket.send(data) :]
        self._is_broken = False

    def _check_open(self) -> None:
        if not self.connected:
            raise ConnectionClosed(self.close_reason, self.close_message)

    def _lose(self) -> None:
        """It is over, also for whoever reads at this moment."""
        self.connected = False
        self._decided.set()  # who would send before it is accepted need not wait any more
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)
