"""The token endpoint: /oauth/token with its four grants, and /oauth/revoke."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue

from emulation.oidc.client_auth import authenticate
from emulation.oidc.errors import OAuthError
from emulation.oidc.grants import Codes, RefreshTokens
from emulation.oidc.registry import AUDIENCE, DEFAULT_USER_SCOPE, USERS, Client, User
from emulation.oidc.tokens import Grant, TokenFactory

Form = Mapping[str, str]
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", "password")
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True)
class TokenEndpoint:
    """Exchanges a proof (code, refresh token, secret, password) for tokens."""

    tokens: TokenFactory
    codes: Codes
    refresh_tokens: RefreshTokens

    def register(self, app: Flask) -> None:
        app.add_url_rule("/oauth/token", "token", self.token, methods=["POST"])
        app.add_url_rule("/oauth/revoke", "revoke", self.revoke, methods=["POST"])

    def token(self) -> ResponseReturnValue:
        form = read_form()
        grant_type = required(form, "grant_type")
        if grant_type not in GRANT_TYPES:
            raise OAuthError("unsupported_grant_type", "this grant_type is not offered")
        client = authenticate(form, request.authorization)
        if grant_type not in client.grant_types:
            raise OAuthError("unauthorized_client", "the client may not use this grant_type")
        exchange = {
            "authorization_code": self._code,
            "refresh_token": self._refresh,
            "client_credentials": self._client_credentials,
            "password": self._password,
        }[grant_type]
        return exchange(client, form), 200, _NO_STORE

    def revoke(self) -> ResponseReturnValue:
        form = read_form()
        client = authenticate(form, request.authorization)
        self.refresh_tokens.revoke(required(form, "token"), client.client_id)
        return "", 200, _NO_STORE

    def _code(self, client: Client, form: Form) -> dict[str, Any]:
        code = self.codes.redeem(
            required(form, "code"),
            client.client_id,
            form.get("redirect_uri", ""),
            form.get("code_verifier", ""),
        )
        return self._answer(code.grant, code.family_id)

    def _refresh(self, client: Client, form: Form) -> dict[str, Any]:
        token = required(form, "refresh_token")
        grant, renewed = self.refresh_tokens.rotate(token, client.client_id)
        # A narrower scope counts for this answer only (RFC 6749 section 6). Scopes
        # that were never granted are dropped, as everywhere in Auth0.
        wanted = form.get("scope", " ".join(grant.scopes)).split()
        scopes = tuple(scope for scope in grant.scopes if scope in wanted)
        return self.tokens.answer(replace(grant, scopes=scopes, nonce=None), renewed)

    def _client_credentials(self, client: Client, form: Form) -> dict[str, Any]:
        scopes = client.allowed_scopes(form.get("scope") or " ".join(client.scopes))
        return self.tokens.answer(Grant(client.client_id, None, _audience(form), scopes))

    def _password(self, client: Client, form: Form) -> dict[str, Any]:
        user = find_user(required(form, "username"), required(form, "password"))
        if user is None:
            raise OAuthError("invalid_grant", "wrong user name or password")
        scopes = client.allowed_scopes(form.get("scope") or DEFAULT_USER_SCOPE)
        return self._answer(Grant(client.client_id, user, _audience(form), scopes))

    def _answer(self, grant: Grant, family_id: str | None = None) -> dict[str, Any]:
        wants_refresh = "offline_access" in grant.scopes
        refresh = self.refresh_tokens.start(grant, family_id) if wants_refresh else None
        return self.tokens.answer(grant, refresh)


def read_form() -> Form:
    """The parameters, as a form or, which Auth0 takes as well, as JSON."""
    if not request.is_json:
        return request.form
    body = request.get_json()
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        raise OAuthError("invalid_request", "the body must be an object of strings")
    return body


def required(form: Form, name: str) -> str:
    if not form.get(name):
        raise OAuthError("invalid_request", f"{name} is missing")
    return form[name]


def find_user(user_name: str, password: str) -> User | None:
    """The demo user with that name and password."""
    user = USERS.get(user_name)
    if user and hmac.compare_digest(user.password.encode(), password.encode()):
        return user
    return None


def _audience(form: Form) -> str:
    if form.get("audience", AUDIENCE) != AUDIENCE:
        raise OAuthError("access_denied", "the audience is not known to this issuer", 403)
    return AUDIENCE
