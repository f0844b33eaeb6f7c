"""The books of a run when several processes keep them: each hands over, one has all.

A process that makes load opens a request here. Once its user is done with it, it goes to the
process that judges with the next report, and is forgotten: a long run fills no memory. What is
handed over is plain lists and dicts, as Locust sends them between its processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from loadtest.ledger import Ledger, Name, Outcome, Request
from loadtest.others import KnownFiles
from loadtest.people import User

FIELDS = tuple(field.name for field in fields(Request))


class Books:
    """One process's part; ``is_closed`` once its users have stopped."""

    def __init__(self) -> None:
        self.start()

    def start(self, run: str = "") -> None:
        """A new run, of this name: nothing is known."""
        self.run = run
        self.ledger = Ledger()
        self.users: dict[str, User] = {}
        self.files = KnownFiles()
        self.is_closed = False
        self._open: set[Name] = set()
        self._new_users: list[User] = []

    def enter(self, user: User) -> None:
        """Somebody takes part from now on."""
        self.users[user.user_id] = user
        self._new_users.append(user)

    @contextmanager
    def upload(self, user_id: str, message_id: str, size: int) -> Iterator[Request]:
        """A new request, for as long as its user is busy with it."""
        request = self.ledger.open(user_id, message_id, size)
        self._open.add(request.name)
        began = time.monotonic()
        try:
            yield request
        finally:
            request.seconds += time.monotonic() - began
            self._open.discard(request.name)
            self.files.learn(request)

    def hand_over(self) -> dict[str, Any]:
        """All that was not handed over yet, without requests that somebody is busy with.

        Once the books are closed nobody is: then it is all that is left.
        """
        left = set() if self.is_closed else self._open
        ledger, self.ledger = self.ledger, Ledger()
        self.ledger.requests = {n: r for n, r in ledger.requests.items() if n in left}
        told = as_plain(
            {name: r for name, r in ledger.requests.items() if name not in left}, ledger
        )
        told |= {
            "run": self.run,
            "users": [_user(user) for user in self._new_users],
            "isClosed": self.is_closed,
        }
        self._new_users = []
        return told

    def take(self, told: Mapping[str, Any]) -> None:
        """Enter what another process handed over, unless it is of another run."""
        if told["run"] != self.run:
            return
        for user_id, token, tier in told["users"]:
            self.users[user_id] = User(user_id, token, tier)
        merge(self.ledger, told)


def as_plain(requests: Mapping[Name, Request], ledger: Ledger) -> dict[str, Any]:
    """*requests*, and what else *ledger* knows."""
    return {
        "requests": [_plain(request) for request in requests.values()],
        "seen": {user_id: sorted(ids) for user_id, ids in ledger.seen.items()},
        "refusals": dict(ledger.refusals),
    }


def merge(ledger: Ledger, told: Mapping[str, Any]) -> None:
    """Add to *ledger* what ``as_plain`` made of another one."""
    for members in told["requests"]:
        values = dict(zip(FIELDS, members, strict=True))
        values["outcome"] = Outcome(values["outcome"])
        values["sent"] = values["sent"] and Outcome(values["sent"])
        values["answered"] = set(values["answered"])
        request = Request(**values)
        ledger.requests[request.name] = request
    for user_id, ids in told["seen"].items():
        ledger.seen.setdefault(user_id, set()).update(ids)
    ledger.refusals.update(told["refusals"])


def _plain(request: Request) -> list[Any]:
    values = {name: getattr(request, name) for name in FIELDS}
    values["outcome"] = str(request.outcome)
    values["sent"] = request.sent and str(request.sent)
    values["answered"] = sorted(request.answered)
    return [values[name] for name in FIELDS]


def _user(user: User) -> list[str]:
    return [user.user_id, user.token, user.tier]


BOOKS = Books()
"""This process's own."""
