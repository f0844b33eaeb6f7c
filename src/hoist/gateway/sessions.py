"""The sockets this process holds, and the REST requests that wait for an event.

Each socket has a bounded queue; whoever puts the first message into an empty one also sends it, in
a thread of its own, so an idle socket costs no thread and a slow reader delays nobody.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections import deque
from typing import Any

from hoist.domain.model import Principal
from hoist.gateway.socket import ConnectionClosed, SafeServer

logger = logging.getLogger(__name__)
QUEUE_MESSAGES_MAX, QUEUE_BYTES_MAX = 1000, 1024 * 1024
GOING_AWAY, SLOW_READER = 1001, 1008


def new_connection_id() -> str:
    """Looks as API Gateway's do, with the ``=`` that callers must escape."""
    return urlsafe_b64encode(secrets.token_bytes(11)).decode()


class Session:
    """One open socket and what waits to be sent on it."""

    def __init__(self, socket: SafeServer, principal: Principal) -> None:
        self.socket, self.principal = socket, principal
        self.connection_id = new_connection_id()
        self.opened_at = self.last_active_at = time.time()
        self._queue: deque[str] = deque()
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
            if held is not None:
                held.append(body)
                return
        self.send(body)

    def send(self, body: dict[str, Any]) -> bool:
        return self.send_text(json.dumps(body))

    def send_text(self, text: str) -> bool:
        """Queue *text*; False, and the end of the socket, when its peer reads too slowly."""
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
            if self._is_sending:
                return True
            self._is_sending = True
        threading.Thread(target=self._drain, daemon=True).start()
        return True

    def close(self, code: int, reason: str) -> None:
        self.socket.close(code, reason)

    def flush(self, seconds_max: float = 2.0) -> None:
        """Wait until what is queued has been sent: before a close that must be understood."""
        deadline = time.monotonic() + seconds_max
        while self._is_sending and time.monotonic() < deadline:
            time.sleep(0.005)

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._is_sending = False
                    return
                text = self._queue.popleft()
                self._queued_bytes -= len(text)
            try:
                self.socket.send(text)
            except (ConnectionClosed, OSError):
                with self._lock:
                    self._cut()
                    self._is_sending = False
                self.close(SLOW_READER, "too slow")
                return

    def _cut(self) -> None:
        self._is_cut = True
        self._queue.clear()
        self._queued_bytes = 0


class Sessions:
    """By connection id and by user; and the REST requests waiting under an id of their own."""

    def __init__(self) -> None:
        self.by_id: dict[str, Session] = {}
        self._by_user: dict[str, set[Session]] = {}
        self._waiting: dict[str, deque[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._heard = threading.Condition()

    def open(self, session: Session) -> None:
        with self._lock:
            self.by_id[session.connection_id] = session
            self._by_user.setdefault(session.principal.user_id, set()).add(session)

    def close(self, session: Session) -> None:
        with self._lock:
            self.by_id.pop(session.connection_id, None)
            of_user = self._by_user.get(session.principal.user_id, set())
            of_user.discard(session)
            if not of_user:
                self._by_user.pop(session.principal.user_id, None)

    def deliver(self, event: dict[str, Any]) -> None:
        """Hand an event of the feed to the socket it names, or to all of its user's."""
        connection_id, body = event["connectionId"], event["body"]
        if connection_id in self._waiting:
            with self._heard:
                if (waiting := self._waiting.get(connection_id)) is not None:
                    waiting.append(body)
                    self._heard.notify_all()
            return
        if connection_id is not None:
            session = self.by_id.get(connection_id)
            if session and session.principal.user_id == event["userId"]:
                session.deliver(body)
            return
        for session in list(self._by_user.get(event["userId"], ())):
            session.deliver(body)

    def expect(self, connection_id: str) -> None:
        """Keep the events of a REST request from now on, until ``forget``."""
        self._waiting[connection_id] = deque()

    def wait_for(self, connection_id: str, seconds: float) -> dict[str, Any] | None:
        """The first event of the request, or None after *seconds*."""
        with self._heard:
            self._heard.wait_for(lambda: bool(self._waiting[connection_id]), seconds)
            kept = self._waiting[connection_id]
            return kept[0] if kept else None

    def forget(self, connection_id: str) -> None:
        """The REST request has its answer."""
        self._waiting.pop(connection_id, None)

    def close_all(self) -> None:
        """The process is going: tell every peer to connect elsewhere."""
        for session in list(self.by_id.values()):
            session.close(GOING_AWAY, "going away")
