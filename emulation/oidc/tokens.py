"""What the issuer's tokens say: access tokens, ID tokens and the answers that carry them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from emulation.oidc.errors import OAuthError
from emulation.oidc.keys import Claims, KeyRing
from emulation.oidc.registry import ROLES_CLAIM, USERS, User

Clock = Callable[[], float]

LIFETIME_SECONDS = 3600
ACCESS_TYPE = "at+jwt"
ID_TYPE = "JWT"


@dataclass(frozen=True)
class Grant:
    """Who let which client do what; ``user`` is None when the client acts for itself."""

    client_id: str
    user: User | None
    audience: str
    scopes: tuple[str, ...]
    nonce: str | None = None

    @property
    def sub(self) -> str:
        return self.user.sub if self.user else f"{self.client_id}@clients"


@dataclass(frozen=True)
class TokenFactory:
    """Turns a grant into signed tokens."""

    issuer: str
    keys: KeyRing
    clock: Clock
    lifetime_seconds: int = LIFETIME_SECONDS

    def answer(self, grant: Grant, refresh_token: str | None = None) -> dict[str, Any]:
        """The body of a successful /oauth/token call."""
        body = {
            "access_token": self.keys.current.sign(self.access_claims(grant), typ=ACCESS_TYPE),
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "scope": " ".join(grant.scopes),
        }
        if refresh_token:
            body["refresh_token"] = refresh_token
        if grant.user and "openid" in grant.scopes:
            claims = self.id_claims(grant, grant.user)
            body["id_token"] = self.keys.current.sign(claims, typ=ID_TYPE)
        return body

    def access_claims(self, grant: Grant) -> Claims:
        # azp is what Auth0's own profile says, client_id what RFC 9068 asks for.
        claims = {
            **self._dates(),
            "iss": self.issuer,
            "sub": grant.sub,
            "aud": grant.audience,
            "azp": grant.client_id,
            "client_id": grant.client_id,
            "scope": " ".join(grant.scopes),
            "jti": secrets.token_urlsafe(16),
        }
        if "openid" in grant.scopes:
            claims["aud"] = [grant.audience, self.userinfo_audience]
        if grant.user:
            claims |= {ROLES_CLAIM: list(grant.user.roles), "email": grant.user.email}
        return claims

    def id_claims(self, grant: Grant, user: User) -> Claims:
        claims = {
            **self._dates(),
            "iss": self.issuer,
            "aud": grant.client_id,
            **profile(user, grant.scopes),
        }
        return claims | ({"nonce": grant.nonce} if grant.nonce else {})

    def read_for_userinfo(self, token: str) -> tuple[User, tuple[str, ...]]:
        """The user and scopes of an access token that may call /userinfo."""
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.find(header.get("kid"))
            if key is None or header.get("typ") != ACCESS_TYPE:
                raise jwt.InvalidTokenError("not an access token of this issuer")
            claims = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=["RS256"],
                audience=self.userinfo_audience,
                issuer=self.issuer,
                # PyJWT reads the system's clock; ours is checked below.
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise OAuthError("invalid_token", "the access token is not valid", 401) from error
        user = next((user for user in USERS.values() if user.sub == claims["sub"]), None)
        if user is None or claims["exp"] <= self.clock():
            raise OAuthError("invalid_token", "the access token has expired", 401)
        return user, tuple(claims.get("scope", "").split())

    @property
    def userinfo_audience(self) -> str:
        return f"{self.issuer}userinfo"

    def _dates(self) -> Claims:
        now = int(self.clock())
        return {"iat": now, "exp": now + self.lifetime_seconds}


def profile(user: User, scopes: tuple[str, ...]) -> Claims:
    """What the scopes let a client know about a user."""
    claims: Claims = {"sub": user.sub, ROLES_CLAIM: list(user.roles)}
    if "profile" in scopes:
        claims |= {"name": user.name, "nickname": user.user_name}
    if "email" in scopes:
        claims |= {"email": user.email, "email_verified": True}
    return claims
