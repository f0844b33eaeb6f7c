"""One user as long as they are there: a socket, what is heard over it, and how it is had back."""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable
from typing import Any

import gevent

from loadtest.books import Books
from loadtest.line import Cut, Line
from loadtest.people import User

Fire = Callable[..., None]
"""(name, seconds, length=, error=): one line of the statistics"""


class Failed(Exception):
    """This upload goes no further; the statistics have been told why."""


class Presence:
    """Without a socket until ``connect`` or ``back``."""

    def __init__(
        self, user: User, line: Line, books: Books, fire: Fire, patience_seconds: float
    ) -> None:
        self.user, self.line, self.books, self.fire = user, line, books, fire
        self.patience_seconds = patience_seconds
        EVERYBODY.add(self)

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """The next event, whatever it is. Raises ``Cut``."""
        event = self.line.receive(seconds)
        if event:
            self.books.ledger.show(self.user.user_id, event)
        return event

    def connect(self) -> None:
        """Raises ``Failed``."""
        began = time.monotonic()
        try:
            self.line.open()
        except Cut as error:
            raise self.failed("connect", time.monotonic() - began, str(error)) from error
        self.fire("connect", time.monotonic() - began)

    def back(self) -> None:
        """After the socket was lost: open it, and hear what was missed. Raises ``Failed``."""
        began = time.monotonic()
        try:
            self._reopen()
            if self.line.n:
                self.line.send({"action": "resume", "since": self.line.n})
        except Cut as error:
            if not self.line.is_open and time.monotonic() - began > self.patience_seconds:
                raise self.failed("reconnect", time.monotonic() - began, str(error)) from error
            gevent.sleep(random.uniform(0.1, 0.5))

    def come_back(self) -> None:
        """After the socket was lost, for who waits for nothing; the statistics hear of it."""
        began = time.monotonic()
        try:
            self._reopen()
        except Cut as error:
            self.fire("reconnect", time.monotonic() - began, error=str(error))

    def _reopen(self) -> None:
        seconds = self.line.open()
        if seconds is not None:
            self.fire("reconnect", seconds)

    def failed(self, name: str, seconds: float, why: str) -> Failed:
        """Tell the statistics; what to raise."""
        self.fire(name, seconds, error=why)
        return Failed(why)


EVERYBODY: weakref.WeakSet[Presence] = weakref.WeakSet()
"""All of this process."""
