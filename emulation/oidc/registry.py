"""The issuer's tenant: demo users, clients and audience, as data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

AUDIENCE = "https://api.hoist.local"
ROLES_CLAIM = "https://hoist.local/roles"
USER_SCOPES = ("openid", "profile", "email", "offline_access")
DEFAULT_USER_SCOPE = "openid profile email"

# RFC 8252 section 7.3: a native client listens on whatever port it was given.
_LOOPBACK = ("http://127.0.0.1:*", "http://localhost:*")
_CALLBACKS = tuple(f"{origin}/callback" for origin in _LOOPBACK)
_AFTER_LOGOUT = (*_LOOPBACK, *(f"{origin}/" for origin in _LOOPBACK))
BROWSER_ORIGINS = _LOOPBACK


@dataclass(frozen=True)
class User:
    """A person who can log in; ``sub`` is the id every other part knows."""

    user_name: str
    password: str = field(repr=False)
    name: str
    roles: tuple[str, ...]

    @property
    def sub(self) -> str:
        return f"auth0|{self.user_name}"

    @property
    def email(self) -> str:
        return f"{self.user_name}@hoist.local"


@dataclass(frozen=True)
class Client:
    """An application that may ask for tokens; one without a secret is public."""

    client_id: str
    name: str
    grant_types: frozenset[str]
    scopes: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ()
    logout_uris: tuple[str, ...] = ()

    @property
    def is_public(self) -> bool:
        return self.secret is None

    def allowed_scopes(self, wanted: str) -> tuple[str, ...]:
        """The scopes of *wanted* this client may have; Auth0 drops the others silently."""
        return tuple(scope for scope in dict.fromkeys(wanted.split()) if scope in self.scopes)


_PERSONAL = frozenset({"authorization_code", "refresh_token", "password"})

USERS = {
    user.user_name: user
    for user in (
        User("ada", "ada", "Ada Lovelace", ("basic",)),
        User("grace", "grace", "Grace Hopper", ("premium",)),
        User("root", "root", "Root Operator", ("admin", "premium")),
    )
}

CLIENTS = {
    client.client_id: client
    for client in (
        Client(
            "hoist-cli",
            "Hoist command line",
            _PERSONAL,
            USER_SCOPES,
            redirect_uris=_CALLBACKS,
            logout_uris=_AFTER_LOGOUT,
        ),
        Client(
            "hoist-web",
            "Hoist web",
            _PERSONAL,
            USER_SCOPES,
            redirect_uris=_CALLBACKS,
            logout_uris=_AFTER_LOGOUT,
        ),
        Client(
            "hoist-service",
            "Hoist services",
            frozenset({"client_credentials"}),
            ("connections:manage",),
            secret="hoist-service-secret",
        ),
    )
}


def uri_allowed(uri: str, patterns: Iterable[str]) -> bool:
    """Whether *uri* equals a pattern, where ``:*`` stands for any port or none."""
    return any(
        re.fullmatch(re.escape(pattern).replace(r":\*", "(:[0-9]{1,5})?"), uri)
        for pattern in patterns
    )
