"""The issuer put together: one Flask application, everything it needs passed in."""

from __future__ import annotations

import secrets
import time

from flask import Flask, Response

from emulation.oidc.access_log import log_requests
from emulation.oidc.control import Control, Sleep
from emulation.oidc.cors import allow_browsers
from emulation.oidc.documents import Documents
from emulation.oidc.errors import answer_errors
from emulation.oidc.grants import Codes, RefreshTokens
from emulation.oidc.keys import KeyRing
from emulation.oidc.login import LoginPages
from emulation.oidc.token import TokenEndpoint
from emulation.oidc.tokens import LIFETIME_SECONDS, Clock, TokenFactory


def create_app(
    issuer: str,
    clock: Clock = time.time,
    *,
    lifetime_seconds: int = LIFETIME_SECONDS,
    keys: KeyRing | None = None,
    sleep: Sleep = time.sleep,
) -> Flask:
    """An issuer that calls itself *issuer*, with a slash at the end as Auth0's have."""
    app = Flask("emulation.oidc")
    # Cookies ignore ports: the name keeps clear of other servers on this host.
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="hoist_oidc",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    tokens = TokenFactory(f"{issuer.rstrip('/')}/", keys or KeyRing(), clock, lifetime_seconds)
    refresh_tokens = RefreshTokens(clock)
    codes = Codes(clock, refresh_tokens)
    log_requests(app)
    allow_browsers(app)
    app.after_request(_protect)
    answer_errors(app)
    for part in (
        Control(tokens, sleep),
        Documents(tokens),
        LoginPages(codes, clock),
        TokenEndpoint(tokens, codes, refresh_tokens),
    ):
        part.register(app)
    return app


def _protect(response: Response) -> Response:
    # No form-action: browsers apply it to the redirect after the login form, too.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src data:; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response
