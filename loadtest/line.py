"""One user's WebSocket, to whichever gateway answers; it costs no thread.

It reads only while somebody waits for a frame: who is idle waits with ``receive``.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import gevent
import websocket
from gevent.lock import RLock

from loadtest.people import User

CONNECT_SECONDS, WRITE_SECONDS = 10.0, 10.0
BACK_SECONDS_MAX = 60.0
PAUSE_SECONDS = (0.2, 1.0)


class Cut(Exception):
    """The socket ended; whoever waited may open it again."""


class Line:
    """Raises ``Cut`` wherever the socket ends; the next use opens another."""

    def __init__(self, urls: Sequence[str], user: User) -> None:
        self.urls, self.user = list(urls), user
        self.n = 0  # the highest number of an event that was heard
        self.opened = 0
        self._socket: websocket.WebSocket | None = None
        self._not_before = 0.0
        self._opening = RLock()

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def open(self) -> float | None:
        """Connect, trying one gateway after the other; how many seconds it took.

        None when it is open: of several who wait for it, one has opened it. After ``lose`` its time
        is waited first, and not counted. Raises ``Cut`` when none answered for a minute, or one
        refuses.
        """
        with self._opening:
            if self.is_open:
                return None
            gevent.sleep(max(0.0, self._not_before - time.monotonic()))
            began = time.monotonic()
            while self._socket is None:
                for url in random.sample(self.urls, len(self.urls)):
                    self._socket = self._try(url)
                    if self._socket:
                        self.opened += 1
                        break
                else:
                    if time.monotonic() - began > BACK_SECONDS_MAX:
                        raise Cut(f"no gateway answered for {BACK_SECONDS_MAX:.0f} s")
                    gevent.sleep(random.uniform(*PAUSE_SECONDS))
            return time.monotonic() - began

    def _try(self, url: str) -> websocket.WebSocket | None:
        try:
            return websocket.create_connection(
                url.replace("http", "ws", 1) + "/ws",
                timeout=CONNECT_SECONDS,
                header=[f"Authorization: {self.user.headers['Authorization']}"],
                suppress_origin=True,
                enable_multithread=False,
                skip_utf8_validation=True,
            )
        except websocket.WebSocketBadStatusException as error:
            if error.status_code < 500:
                raise Cut(f"refused with {error.status_code}") from error
        except (websocket.WebSocketException, OSError):
            pass
        return None

    def send(self, frame: Mapping[str, Any]) -> None:
        socket = self._there()
        try:
            socket.settimeout(WRITE_SECONDS)
            socket.send(json.dumps(frame))
        except (websocket.WebSocketException, OSError) as error:
            self.drop(socket)
            raise Cut(str(error)) from error

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next event; None when none came. Pings are answered meanwhile."""
        socket = self._there()
        try:
            socket.settimeout(max(0.001, seconds))
            text = socket.recv()
        except websocket.WebSocketTimeoutException:
            return None
        except (websocket.WebSocketException, OSError) as error:
            self.drop(socket)
            raise Cut(str(error)) from error
        if not text:
            self.drop(socket)
            raise Cut("the gateway closed it")
        event: dict[str, Any] = json.loads(text)
        self.n = max(self.n, event.get("n", 0))
        return event

    def drop(self, socket: websocket.WebSocket | None = None) -> None:
        """End it without a word, as a lost network does; *socket*, unless it was replaced."""
        mine = socket or self._socket
        if mine is self._socket:
            self._socket = None
        if mine:
            with suppress(OSError):
                mine.shutdown()

    def lose(self, seconds: float) -> None:
        """Drop it; whoever wants it back, also in the middle of a request, waits so long first."""
        self._not_before = time.monotonic() + seconds
        self.drop()

    def close(self) -> None:
        """Say goodbye."""
        mine, self._socket = self._socket, None
        if mine:
            with suppress(websocket.WebSocketException, OSError):
                mine.close(timeout=1)

    def _there(self) -> websocket.WebSocket:
        socket = self._socket
        if socket is None:
            raise Cut("not connected")
        return socket
