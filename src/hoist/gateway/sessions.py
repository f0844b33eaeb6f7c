"""The sockets this process holds, and the REST requests that wait for an event.

Each socket has a bounded queue; whoever puts the first message into an empty one also sends it, in
a thread of its own, so an idle socket costs no thread and a slow reader delays nobody. What the
socket's own thread has to say, it sends itself, after each frame; the pongs of pings that came
together go in one write.
"""

from __future__ import annotations

import _thread
import logging
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections import Counter, deque
from typing import Any

from pydantic_core import to_json

from hoist import telemetry
from hoist.domain.model import Principal
from hoist.gateway.socket import ConnectionClosed, SafeServer

logger = logging.getLogger(__name__)
QUEUE_MESSAGES_MAX, QUEUE_BYTES_MAX = 1000, 1024 * 1024
WRITE_BYTES_MAX = 32 * 1024
HELD_MAX = 100  # events of one file, while its request is on its way to the log
WAITING_MAX, WAITING_OF_ONE_MAX = 1000, 100  # REST requests that wait for their event
GOING_AWAY, SLOW_READER = 1001, 1008
# What decides a request that waits over REST.
ANSWERS = ("upload.ready", "upload.rejected", "upload.stored", "upload.expired", "upload.cancelled")


def new_connection_id() -> str:
    """Looks as API Gateway's do, with the ``=`` that callers must escape."""
    return urlsafe_b64encode(secrets.token_bytes(11)).decode()


class Session:
    """One open socket and what waits to be sent on it."""

    def __init__(self, socket: SafeServer, principal: Principal) -> None:
        self.socket, self.principal = socket, principal
        self.connection_id = new_connection_id()
        self.opened_at = self.last_active_at = time.time()
        self.own_thread: int | None = None  # who calls ``drain`` after what it sends
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._is_sending = self._is_cut = False
        self._lock = threading.Lock()
        self._held: dict[str, list[dict[str, Any]]] = {}

    def hold(self, file_id: str) -> None:
        """Keep this file's events back until ``release``: "accepted" must be heard first."""
        self._held.setdefault(file_id, [])

    def release(self, file_id: str) -> None:
        """Send what was held, in order, also what comes while that goes on."""
        while True:
            with self._lock:
                waiting = self._held.get(file_id)
                if not waiting:
                    self._held.pop(file_id, None)
                    return
                bodies, waiting[:] = list(waiting), []
            for body in bodies:
                self.send(body)

    def deliver(self, body: dict[str, Any]) -> None:
        with self._lock:
            held = self._held.get(body.get("fileId", ""))
            if held is not None and len(held) < HELD_MAX:
                held.append(body)
                return
        self.send(body)

    def send(self, body: dict[str, Any]) -> bool:
        return self.send_text(to_json(body))

    def send_text(self, text: bytes) -> bool:
        """Queue *text*, in UTF-8; False, and the end of the socket, when its peer is too slow."""
        with self._lock:
            if self._is_cut:
                return False
            is_full = self._queued_bytes + len(text) > QUEUE_BYTES_MAX
            if is_full or len(self._queue) >= QUEUE_MESSAGES_MAX:
                logger.info("slow reader cut", extra={"connectionId": self.connection_id})
                self._cut()
                threading.Thread(target=self.close, args=(SLOW_READER, "too slow")).start()
                return False
            self._queue.append(text)
            self._queued_bytes += len(text)
            if self._is_sending or threading.get_ident() == self.own_thread:
                return True
            self._is_sending = True
        # Not a ``Thread``, which costs several times what there is to send.
        _thread.start_new_thread(self._drain, ())
        return True

    def drain(self) -> None:
        """Send what waits, unless somebody else is at it."""
        with self._lock:
            if self._is_sending:
                return
            self._is_sending = True
        self._drain()

    def close(self, code: int, reason: str) -> None:
        self.socket.close(code, reason)

    def flush(self, seconds_max: float = 2.0) -> None:
        """Wait until what is queued has been sent: before a close that must be understood."""
        self.drain()
        deadline = time.monotonic() + seconds_max
        while self._is_sending and time.monotonic() < deadline:
            time.sleep(0.005)

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._is_sending = False
                    return
                texts = self._next()
            try:
                self.socket.send(*texts)
            except (ConnectionClosed, OSError):
                with self._lock:
                    self._cut()
                    self._is_sending = False
                self.close(SLOW_READER, "too slow")
                return

    def _next(self) -> list[bytes]:
        """What goes in one write: all that waits, up to a size that a slow peer takes in time."""
        texts: list[bytes] = []
        size = 0
        while self._queue and (not texts or size + len(self._queue[0]) <= WRITE_BYTES_MAX):
            texts.append(self._queue.popleft())
            size += len(texts[-1])
        self._queued_bytes -= size
        return texts

    def _cut(self) -> None:
        self._is_cut = True
        self._queue.clear()
        self._queued_bytes = 0


class _Wait:
    """A REST request that waits for the event that answers it: the first one counts."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self._event: dict[str, Any] | None = None
        self._heard = threading.Event()

    def hear(self, event: dict[str, Any]) -> None:
        if self._event is None:
            self._event = event
            self._heard.set()

    def answer(self, seconds: float) -> dict[str, Any] | None:
        self._heard.wait(seconds)
        return self._event


class Sessions:
    """By connection id and by user; and the REST requests waiting under an id of their own."""

    def __init__(self) -> None:
        self.by_id: dict[str, Session] = {}
        self._by_user: dict[str, set[Session]] = {}
        self._waits: dict[str, _Wait] = {}
        self._waits_of: Counter[str] = Counter()  # by user
        self._lock = threading.Lock()

    def open(self, session: Session) -> None:
        with self._lock:
            self.by_id[session.connection_id] = session
            self._by_user.setdefault(session.principal.user_id, set()).add(session)
            telemetry.open_sockets.set(len(self.by_id))

    def close(self, session: Session) -> None:
        with self._lock:
            self.by_id.pop(session.connection_id, None)
            telemetry.open_sockets.set(len(self.by_id))
            of_user = self._by_user.get(session.principal.user_id, set())
            of_user.discard(session)
            if not of_user:
                self._by_user.pop(session.principal.user_id, None)

    def deliver(self, event: dict[str, Any]) -> None:
        """Hand an event of the feed to the socket it names, or to all of its user's."""
        connection_id, body = event["connectionId"], event["body"]
        if wait := self._waits.get(connection_id):
            # Another, such as "delayed", is none: the answer is still to come.
            if body["event"] in ANSWERS:
                wait.hear(body)
            return
        if connection_id is not None:
            session = self.by_id.get(connection_id)
            if session and session.principal.user_id == event["userId"]:
                session.deliver(body)
            return
        for session in list(self._by_user.get(event["userId"], ())):
            session.deliver(body)

    def expect(self, connection_id: str, user_id: str) -> bool:
        """Keep the answer to a REST request, until ``forget``.

        False when too many wait, in all or of this user.
        """
        with self._lock:
            of_one = self._waits_of[user_id]
            if len(self._waits) >= WAITING_MAX or of_one >= WAITING_OF_ONE_MAX:
                return False
            self._waits_of[user_id] = of_one + 1
            self._waits[connection_id] = _Wait(user_id)
        return True

    def wait_for(self, connection_id: str, seconds: float) -> dict[str, Any] | None:
        """The event that answers the request, or None after *seconds*."""
        return self._waits[connection_id].answer(seconds)

    def forget(self, connection_id: str) -> None:
        """The REST request has its answer."""
        with self._lock:
            if wait := self._waits.pop(connection_id, None):
                self._waits_of[wait.user_id] -= 1
                if not self._waits_of[wait.user_id]:
                    del self._waits_of[wait.user_id]

    def close_all(self) -> None:
        """The process is going: tell every peer to connect elsewhere, whoever of them listens."""
        for session in list(self.by_id.values()):
            _thread.start_new_thread(session.close, (GOING_AWAY, "going away"))
