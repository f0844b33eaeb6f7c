"""Thousands at once: each connects, waits for all the others, uploads once, and stays.

As light as a user can be: a socket and a greenlet. Who of the crowd is connected and who is done is
counted over all processes, since each hears only of its own.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any, ClassVar

from geventhttpclient.client import HTTPClientPool
from locust import User as LocustUser
from locust import constant, tag, task
from locust.contrib.fasthttp import FastHttpSession

from loadtest import options
from loadtest.books import BOOKS
from loadtest.counts import Counts
from loadtest.line import Cut, Line
from loadtest.people import newcomer
from loadtest.persona import fire_into, gateways
from loadtest.uploads import Failed, Uploads

FILE_BYTES = 1024
WAIT_SECONDS = (8.0, 12.0)  # for an event, before it looks what it should do
PING_SECONDS = 240.0  # the gateway ends sockets without a frame after 600
PUTS_AT_ONCE = 100


class Crowd(Counts):
    """Counts who is ``connected`` and who is ``done``."""

    def start(self) -> None:
        super().start()
        self.opened_at: float | None = None

    def open(self) -> None:
        """All are connected: upload."""
        self.opened_at = self.opened_at or time.monotonic()


CROWD = Crowd()
_pool = HTTPClientPool(concurrency=PUTS_AT_ONCE)


class CrowdUser(LocustUser):
    weight = 1
    tier: ClassVar[str] = "basic"
    wait_time = constant(0)

    def on_start(self) -> None:
        self.person = newcomer(os.environ["HOIST_ISSUER"], self.tier)
        BOOKS.enter(self.person)
        self.line = Line(gateways(), self.person)
        http = FastHttpSession(None, self.environment.events.request, None, client_pool=_pool)
        chosen = options.of(self.environment)
        fire = fire_into(self.environment, self.context)
        self.uploads = Uploads(
            self.person, self.line, http, BOOKS, fire, chosen.crowd_patience_seconds
        )
        self._is_counted = self._is_done = False
        self._spoke_at = time.monotonic()
        self._turn_seconds = random.uniform(0, chosen.spread_seconds)

    def on_stop(self) -> None:
        self.line.close()

    def context(self) -> dict[str, Any]:
        return {"persona": type(self).__name__, "tier": self.tier}

    @tag("crowd")
    @task
    def live(self) -> None:
        """One step, so that who is told to stop does so soon."""
        try:
            if not self.line.is_open:
                self._come()
            elif self._is_my_turn():
                self._is_done = True
                if self.uploads.upload(FILE_BYTES):
                    CROWD.own["done"] += 1
                self._spoke_at = time.monotonic()
            else:
                self._stay()
        except (Failed, Cut):
            pass  # told by whom it happened to; the next step opens the socket again

    def _come(self) -> None:
        if self._is_counted:
            self.uploads.back()
            return
        self.uploads.connect()
        self._is_counted = True
        CROWD.own["connected"] += 1

    def _is_my_turn(self) -> bool:
        opened = CROWD.opened_at
        is_open = opened is not None and time.monotonic() - opened >= self._turn_seconds
        return is_open and not self._is_done

    def _stay(self) -> None:
        self.uploads.hear(random.uniform(*WAIT_SECONDS))
        if time.monotonic() - self._spoke_at > PING_SECONDS:
            self._spoke_at = time.monotonic()
            self.line.send({"action": "ping"})
