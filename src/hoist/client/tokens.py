"""Access tokens: kept, refreshed shortly before they end, never used after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from hoist.client.problems import HoistProblem, NotLoggedIn

REFRESH_BEFORE_SECONDS = 30


@dataclass(frozen=True)
class Tokens:
    """What an issuer gave. ``expires_at`` is in seconds since the epoch."""

    access_token: str
    expires_at: float
    refresh_token: str | None = None


class TokenSource(Protocol):
    """Where the client gets the token for its next request."""

    def access_token(self, refused: str | None = None) -> str:
        """A token that is still good, and not *refused*, which the server did not take.

        Raises ``NotLoggedIn`` when there is none.
        """


class TokenStore(Protocol):
    """Where tokens survive."""

    def load(self) -> Tokens | None: ...

    def save(self, tokens: Tokens | None) -> None:
        """Replace what was kept; None forgets it."""

    def lock(self) -> AbstractContextManager[object]:
        """Held by whoever refreshes, in this or another process."""


class Refresher(Protocol):
    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens. Raises ``HoistProblem`` with code ``invalid_grant`` when it is spent."""


@dataclass(frozen=True)
class StaticToken:
    """One token, as it is: for tests and for services that bring their own."""

    token: str

    def access_token(self, refused: str | None = None) -> str:
        if refused == self.token:
            raise NotLoggedIn("the access token was refused")
        return self.token


class MemoryStore:
    """Tokens that end with the process."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens
        self._lock = Lock()

    def load(self) -> Tokens | None:
        return self._tokens

    def save(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    def lock(self) -> Lock:
        return self._lock


@dataclass(frozen=True)
class Session:
    """A logged-in user: the stored token while it lasts, then a refreshed one."""

    store: TokenStore
    issuer: Refresher
    clock: Callable[[], float] = time.time

    def access_token(self, refused: str | None = None) -> str:
        tokens = self.store.load()
        if tokens and self._is_good(tokens, refused):
            return tokens.access_token
        # A refresh token works once, and a second use ends the login: one refreshes, the others
        # wait and then find what it stored.
        with self.store.lock():
            tokens = self.store.load()
            if tokens is None:
                raise NotLoggedIn("you are not logged in")
            if self._is_good(tokens, refused):
                return tokens.access_token
            return self._refreshed(tokens).access_token

    def _is_good(self, tokens: Tokens, refused: str | None) -> bool:
        lasts = tokens.expires_at - self.clock() > REFRESH_BEFORE_SECONDS
        return lasts and tokens.access_token != refused

    def _refreshed(self, tokens: Tokens) -> Tokens:
        if tokens.refresh_token is None:
            raise NotLoggedIn("your login has ended")
        try:
            renewed = self.issuer.refresh(tokens.refresh_token)
        except HoistProblem as problem:
            if problem.code != "invalid_grant":
                raise
            self.store.save(None)
            raise NotLoggedIn("your login has ended") from problem
        self.store.save(renewed)
        return renewed
