"""What keeps a socket open: a ping now and then, and a fresh token before the old one ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from hoist.client.problems import HoistProblem
from hoist.client.tokens import TokenSource
from hoist.client.views import OnEvent

PING_SECONDS = 300  # the server hangs up after 10 minutes without a frame
LOOK_SECONDS = 5.0  # a session has a fresh token half a minute before the old one ends


class Keeper:
    """Looks after one connection in a thread of its own until ``stop``.

    A token that cannot be renewed is no failure here: the server closes the socket when it ends,
    and whoever sends the next frame is told why.
    """

    def __init__(
        self,
        connection: ClientConnection,
        token: str,
        tokens: TokenSource,
        on_event: OnEvent,
        look_seconds: float = LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = token
        self._connection = connection
        self._tokens = tokens
        self._on_event = on_event
        self._look_seconds = look_seconds
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hoist-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        pinged_at = self._clock()
        while not self._ended.wait(self._look_seconds):
            try:
                self._renew()
                if self._clock() - pinged_at > PING_SECONDS:
                    pinged_at = self._clock()
                    self._connection.send('{"action": "ping"}')
            except HoistProblem as problem:
                self._on_event("renew.failed", {"detail": problem.detail}, time.time())
            except ConnectionClosed:
                return

    def _renew(self) -> None:
        token = self._tokens.access_token()
        if token != self.token:
            self._connection.send(json.dumps({"action": "renew", "token": token}))
            self.token = token
