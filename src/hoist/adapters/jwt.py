"""Access tokens: RS256 JWTs of one issuer, checked the same for sockets and REST.

The issuer's keys are fetched once and kept, also through an outage; an unknown key id makes one
new fetch, at most every 30 seconds. A token that was good is not checked again before it expires.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import jwt
from jwt.utils import base64url_decode

from hoist.domain.errors import TokenExpired, Unauthorized, Unavailable
from hoist.domain.model import Principal
from hoist.domain.policy import roles_from_claim
from hoist.domain.ports import Clock

logger = logging.getLogger(__name__)
TOKEN_BYTES_MAX = 8192
REFETCH_SECONDS, REFRESH_SECONDS = 30, 3600
COLD_SECONDS = 1  # between attempts while no key is known at all
SKEW_SECONDS_MAX = 5  # that the issuer's clock may be ahead of ours
ACCESS_TYPES = ("jwt", "at+jwt", "application/at+jwt")  # Auth0's own, and RFC 9068 section 4
VERIFIED_MAX = 10_000
# What fetching ends with when the issuer is down, or answers with something else than its keys.
UNUSABLE = (
    OSError,
    HTTPException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    jwt.PyJWTError,
)
REFUSAL = "this token opens nothing here; log in again"


def fetch_jwks(issuer: str) -> dict[str, Any]:
    """The issuer's key set, through its discovery document."""
    discovery = _fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
    return _fetch(discovery["jwks_uri"])


def _fetch(url: str) -> dict[str, Any]:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no address of keys")  # urlopen would read files, too
    with urllib.request.urlopen(url, timeout=1.5) as answer:
        return dict(json.loads(answer.read(150_000)))


class JwtVerifier:
    def __init__(
        self,
        issuer: str,
        audience: str,
        roles_claim: str,
        clock: Clock,
        tier_of: Callable[[tuple[str, ...]], str],
        fetch: Callable[[str], dict[str, Any]] = fetch_jwks,
    ) -> None:
        self._issuer, self._audience, self._roles_claim = issuer, audience, roles_claim
        self._clock, self._fetch, self._tier_of = clock, fetch, tier_of
        self._lock = threading.Lock()
        self._keys: dict[str, Any] = {}
        self._fetched_at = self._tried_at = -1e9
        self._verified: dict[str, Principal] = {}

    def verify(self, token: str) -> Principal:
        now = self._clock() / 1000
        known = self._verified.get(token)
        if known and now < known.expires_at:
            return known
        principal = self._principal(self._claims(token, now), now)
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        self._verified[token] = principal
        return principal

    def ready(self) -> None:
        """Raises ``Unavailable`` when no key of the issuer is known and none can be fetched."""
        if not self._keys:
            self._refresh(self._clock() / 1000)
        if not self._keys:
            raise Unavailable("the issuer's keys are not known yet")

    def _claims(self, token: str, now: float) -> dict[str, Any]:
        if len(token) > TOKEN_BYTES_MAX:
            raise Unauthorized(REFUSAL)
        try:
            header = _header(token)
            kind = str(header.get("typ")).lower()
            if header.get("alg") != "RS256" or "crit" in header or kind not in ACCESS_TYPES:
                raise Unauthorized(REFUSAL)
            key = self._key(header.get("kid"), now)
            # Times are ours to judge, by the clock that was passed in.
            options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
            return dict(
                jwt.decode(
                    token,
                    key,
                    algorithms=["RS256"],
                    audience=self._audience,
                    issuer=self._issuer,
                    options=options | {"require": ["exp", "iss", "aud", "sub"]},
                )
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthorized(REFUSAL) from error

    def _principal(self, claims: dict[str, Any], now: float) -> Principal:
        expires, begins, subject = claims["exp"], claims.get("nbf", 0), claims["sub"]
        issued = claims.get("iat", 0)
        if not all(type(time) is int for time in (expires, begins, issued)):
            raise Unauthorized(REFUSAL)
        if max(begins, issued) > now + SKEW_SECONDS_MAX:
            raise Unauthorized(REFUSAL)
        if not isinstance(subject, str) or not subject or "nonce" in claims:
            raise Unauthorized(REFUSAL)
        if expires <= now:
            raise TokenExpired("this token has expired; log in again")
        roles = roles_from_claim(claims.get(self._roles_claim))
        return Principal(subject, self._tier_of(roles), roles, expires)

    def _key(self, kid: Any, now: float) -> Any:
        if not isinstance(kid, str):
            raise Unauthorized(REFUSAL)
        is_stale = now - self._fetched_at > REFRESH_SECONDS
        # Without any key there is nothing to go on with: whoever comes waits for the first fetch.
        if not self._keys or ((kid not in self._keys or is_stale) and self._may_fetch(now)):
            self._refresh(now)
        if not self._keys:
            raise Unavailable("the issuer's keys are not known yet")
        if kid not in self._keys:
            raise Unauthorized(REFUSAL)
        return self._keys[kid]

    def _may_fetch(self, now: float) -> bool:
        return now - self._tried_at >= (REFETCH_SECONDS if self._keys else COLD_SECONDS)

    def _refresh(self, now: float) -> None:
        """Keeps the keys it has when the issuer does not answer."""
        with self._lock:
            if not self._may_fetch(now):
                return  # somebody else did while we waited for the lock
            self._tried_at = now
            try:
                found = jwt.PyJWKSet.from_dict(self._fetch(self._issuer))
            except UNUSABLE as error:
                logger.warning("issuer's keys not fetched", extra={"reason": repr(error)})
                self._tried_at = self._clock() / 1000  # also for all who waited for it
                return
            self._keys = {
                key.key_id: key.key for key in found.keys if key.key_id and key.key_type == "RSA"
            }
            self._fetched_at = now


def _header(token: str) -> dict[str, Any]:
    """What says which key to take; ``jwt.decode`` reads it again, with all the rest."""
    header = json.loads(base64url_decode(token.partition(".")[0]))
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    return header
