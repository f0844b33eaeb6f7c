"""Tokens a verifier must refuse, each wrong in exactly one way; ``good`` is the control.

Usable without the server: ``mint("expired", TokenFactory(issuer, KeyRing(), time.time))``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from emulation.oidc.keys import Claims, SigningKey, base64url
from emulation.oidc.registry import AUDIENCE, DEFAULT_USER_SCOPE, USERS, User
from emulation.oidc.tokens import ACCESS_TYPE, ID_TYPE, Grant, TokenFactory

# Longer than any leeway a verifier may grant.
FAR_SECONDS = 3600
_UNKNOWN: Claims = {"x-unknown": True}


@dataclass(frozen=True)
class Material:
    """What a flaw has to work with: the right claims and the right key."""

    claims: Claims
    id_claims: Claims
    key: SigningKey

    def signed(self, claims: Claims | None = None, **header: Any) -> str:
        """Signed by the issuer, as an access token."""
        return self.key.sign(claims or self.claims, typ=ACCESS_TYPE, header=header)

    def but(self, **changed: Any) -> str:
        """Signed by the issuer, with claims changed."""
        return self.signed(self.claims | changed)

    def without(self, name: str) -> str:
        """Signed by the issuer, with one claim missing."""
        return self.signed({key: value for key, value in self.claims.items() if key != name})

    def forged(self, **header: Any) -> str:
        """Signed by a key the issuer never had."""
        return _attacker().sign(self.claims, typ=ACCESS_TYPE, header=header)


def mint(
    flaw: str,
    tokens: TokenFactory,
    *,
    user: User = USERS["ada"],
    lifetime_seconds: int | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A token with the named flaw.

    *claims* are laid over the right ones first, and None removes a claim; the
    flaw is applied last. Raises KeyError for a flaw that is not in FLAWS.
    """
    if lifetime_seconds is not None:
        tokens = replace(tokens, lifetime_seconds=lifetime_seconds)
    grant = Grant("hoist-cli", user, AUDIENCE, tuple(DEFAULT_USER_SCOPE.split()))
    merged = tokens.access_claims(grant) | dict(claims or {})
    present = {name: value for name, value in merged.items() if value is not None}
    material = Material(present, tokens.id_claims(grant, user), tokens.keys.current)
    return FLAWS[flaw](material)


def _expired(good: Material) -> str:
    age = FAR_SECONDS + good.claims["exp"] - good.claims["iat"]
    return good.but(iat=good.claims["iat"] - age, exp=good.claims["exp"] - age)


def _hs256_with_public_key(good: Material) -> str:
    public = good.key.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return _hs256(good.claims, good.key.kid, pem)


def _es256(good: Material) -> str:
    header = {"kid": good.key.kid, "typ": ACCESS_TYPE}
    private = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(good.claims, private, algorithm="ES256", headers=header)


def _alg_none(good: Material) -> str:
    return _unsigned({"alg": "none", "kid": good.key.kid, "typ": ACCESS_TYPE}, good.claims) + "."


def _tampered(good: Material) -> str:
    header, _, signature = good.signed().split(".")
    body = base64url(json.dumps(good.claims | {"sub": "auth0|root"}).encode())
    return f"{header}.{body}.{signature}"


def _embedded_jwk(good: Material) -> str:
    return good.forged(kid=_attacker().kid, jwk=_attacker().jwk())


FLAWS: Mapping[str, Callable[[Material], str]] = {
    "good": lambda good: good.signed(),
    # When
    "expired": _expired,
    "not_yet_valid": lambda good: good.but(nbf=good.claims["iat"] + FAR_SECONDS),
    "no_exp": lambda good: good.without("exp"),
    "string_exp": lambda good: good.but(exp="tomorrow"),
    # For whom, from whom, about whom
    "wrong_audience": lambda good: good.but(aud="https://elsewhere.example"),
    "no_audience": lambda good: good.without("aud"),
    "wrong_issuer": lambda good: good.but(iss="https://elsewhere.example/"),
    "no_issuer": lambda good: good.without("iss"),
    "no_sub": lambda good: good.without("sub"),
    "id_token": lambda good: good.key.sign(good.id_claims, typ=ID_TYPE),
    # By which key
    "foreign_key": lambda good: good.forged(kid=good.key.kid),
    "unknown_kid": lambda good: good.forged(),
    "embedded_jwk": _embedded_jwk,
    "jku": lambda good: good.forged(jku="https://elsewhere.example/jwks.json"),
    "kid_path_traversal": lambda good: _hs256(good.claims, "../../../../dev/null", b""),
    # By which algorithm
    "alg_none": _alg_none,
    "hs256_with_public_key": _hs256_with_public_key,
    "es256": _es256,
    "ps256": lambda good: good.key.sign(good.claims, typ=ACCESS_TYPE, algorithm="PS256"),
    # In which state
    "tampered": _tampered,
    "no_signature": lambda good: good.signed().rpartition(".")[0] + ".",
    "unknown_crit": lambda good: good.signed(crit=["x-unknown"], **_UNKNOWN),
}


@cache
def _attacker() -> SigningKey:
    return SigningKey.generate()


def _unsigned(header: Mapping[str, str], claims: Claims) -> str:
    return ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))


def _hs256(claims: Claims, kid: str, secret: bytes) -> str:
    # By hand: PyJWT refuses to use a public key as a shared secret, which is the point.
    text = _unsigned({"alg": "HS256", "kid": kid, "typ": ACCESS_TYPE}, claims)
    return f"{text}.{base64url(hmac.digest(secret, text.encode(), hashlib.sha256))}"
