"""Levers for tests: rotate the keys, misbehave, mint a token. Auth0 has none of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue

from emulation.oidc.errors import OAuthError
from emulation.oidc.flaws import FLAWS, mint
from emulation.oidc.registry import USERS
from emulation.oidc.tokens import TokenFactory

Sleep = Callable[[float], None]

ENDPOINTS = ("jwks", "discovery", "token", "userinfo")
MODES = ("ok", "error", "slow", "garbage")
SLOW_SECONDS = 10.0


@dataclass(frozen=True)
class Control:
    """Every route takes and gives JSON."""

    tokens: TokenFactory
    sleep: Sleep
    modes: dict[str, Any] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)

    def register(self, app: Flask) -> None:
        app.before_request(self.misbehave)
        app.add_url_rule("/_control/rotate", "rotate", self.rotate, methods=["POST"])
        app.add_url_rule("/_control/behaviour", "behaviour", self.behaviour)
        app.add_url_rule("/_control/behaviour", "behave", self.behave, methods=["POST"])
        app.add_url_rule("/_control/mint", "mint", self.mint, methods=["POST"])

    def misbehave(self) -> ResponseReturnValue | None:
        """Runs before each request; an answer from here replaces the real one."""
        endpoint = request.endpoint or ""
        if endpoint not in ENDPOINTS or request.method == "OPTIONS":
            return None
        self.requests[endpoint] += 1
        mode = self.modes.get(endpoint, "ok")
        if mode == "slow":
            self.sleep(self.modes.get("slow_seconds", SLOW_SECONDS))
        if mode == "error":
            raise OAuthError("server_error", "misbehaving on demand", 503)
        if mode == "garbage":
            return "<html>not what you asked for</html>", 200, {"Content-Type": "text/html"}
        return None

    def rotate(self) -> ResponseReturnValue:
        self.tokens.keys.rotate(drop_old=request.args.get("drop") == "1")
        return {"kid": self.tokens.keys.current.kid, "kids": list(self.tokens.keys.kids)}

    def behaviour(self) -> ResponseReturnValue:
        modes = {name: self.modes.get(name, "ok") for name in ENDPOINTS}
        slow_seconds = self.modes.get("slow_seconds", SLOW_SECONDS)
        return {**modes, "slow_seconds": slow_seconds, "requests": dict(self.requests)}

    def behave(self) -> ResponseReturnValue:
        """Set the modes given, put all others back to ok, and count requests from zero."""
        wanted = _body()
        for name, value in wanted.items():
            if name == "slow_seconds":
                _check(isinstance(value, (int, float)) and value >= 0, "slow_seconds is no number")
            else:
                _check(name in ENDPOINTS, f"{name} cannot misbehave, only {', '.join(ENDPOINTS)}")
                _check(value in MODES, f"{name} must be one of {', '.join(MODES)}")
        self.modes.clear()
        self.modes.update(wanted)
        self.requests.clear()
        return self.behaviour()

    def mint(self) -> ResponseReturnValue:
        wanted = _body()
        flaw, user_name = wanted.get("flaw", "good"), wanted.get("user", "ada")
        lifetime, claims = wanted.get("lifetime_seconds"), wanted.get("claims", {})
        _check(isinstance(flaw, str) and flaw in FLAWS, f"flaw must be one of {', '.join(FLAWS)}")
        _check(
            isinstance(user_name, str) and user_name in USERS,
            f"user must be one of {', '.join(USERS)}",
        )
        _check(lifetime is None or type(lifetime) is int, "lifetime_seconds must be an integer")
        _check(isinstance(claims, dict), "claims must be an object")
        user = USERS[user_name]
        token = mint(flaw, self.tokens, user=user, lifetime_seconds=lifetime, claims=claims)
        return {"token": token}


def _body() -> dict[str, Any]:
    body = request.get_json()
    _check(isinstance(body, dict), "the body must be an object")
    return dict(body)


def _check(is_right: bool, description: str) -> None:
    if not is_right:
        raise OAuthError("invalid_request", description)
