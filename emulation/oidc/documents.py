"""What the issuer publishes: discovery, the JWKS, /userinfo and an index page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue

from emulation.oidc.errors import OAuthError
from emulation.oidc.flaws import FLAWS
from emulation.oidc.registry import AUDIENCE, CLIENTS, ROLES_CLAIM, USER_SCOPES, USERS
from emulation.oidc.token import GRANT_TYPES
from emulation.oidc.tokens import TokenFactory, profile

_CACHED = {"Cache-Control": "public, max-age=15"}


@dataclass(frozen=True)
class Documents:
    """Everything here may be read by anybody, except /userinfo."""

    tokens: TokenFactory

    def register(self, app: Flask) -> None:
        app.add_url_rule("/", "index", self.index)
        app.add_url_rule("/.well-known/openid-configuration", "discovery", self.discovery)
        app.add_url_rule("/.well-known/jwks.json", "jwks", self.jwks)
        app.add_url_rule("/userinfo", "userinfo", self.userinfo, methods=["GET", "POST"])

    def index(self) -> ResponseReturnValue:
        return render_template(
            "index.html",
            endpoints=discovery_document(self.tokens.issuer),
            users=USERS.values(),
            clients=CLIENTS.values(),
            audience=AUDIENCE,
            flaws=FLAWS,
        )

    def discovery(self) -> ResponseReturnValue:
        return discovery_document(self.tokens.issuer), 200, _CACHED

    def jwks(self) -> ResponseReturnValue:
        return self.tokens.keys.jwks(), 200, _CACHED

    def userinfo(self) -> ResponseReturnValue:
        authorization = request.authorization
        if authorization is None or authorization.type != "bearer" or not authorization.token:
            raise OAuthError("invalid_token", "a bearer access token is required", 401)
        return profile(*self.tokens.read_for_userinfo(authorization.token))


def discovery_document(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0, with the paths Auth0 has."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}authorize",
        "token_endpoint": f"{issuer}oauth/token",
        "userinfo_endpoint": f"{issuer}userinfo",
        "jwks_uri": f"{issuer}.well-known/jwks.json",
        "revocation_endpoint": f"{issuer}oauth/revoke",
        "end_session_endpoint": f"{issuer}oidc/logout",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "scopes_supported": list(USER_SCOPES),
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "name", "email", ROLES_CLAIM],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "none",
        ],
        "code_challenge_methods_supported": ["S256"],
    }
