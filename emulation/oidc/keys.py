"""The issuer's signing keys: RSA, named by their thumbprint, rotated with an overlap."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Claims = dict[str, Any]

KEYS_KEPT = 2


@dataclass(frozen=True)
class SigningKey:
    """One RSA key pair and the ``kid`` it is published under."""

    private: rsa.RSAPrivateKey
    kid: str

    @classmethod
    def generate(cls) -> SigningKey:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        members = {"kty": "RSA", **_numbers(private)}
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
        # RFC 7638: the name follows from the key, so two keys never share one.
        return cls(private, base64url(hashlib.sha256(canonical.encode()).digest()))

    def jwk(self) -> dict[str, str]:
        """The public half, as the JWKS shows it."""
        named = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid}
        return named | _numbers(self.private)

    def sign(
        self,
        claims: Claims,
        *,
        typ: str,
        algorithm: str = "RS256",
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """A JWT over *claims*; *header* members win over ours."""
        members = {"typ": typ, "kid": self.kid, **(header or {})}
        return jwt.encode(claims, self.private, algorithm=algorithm, headers=members)


class KeyRing:
    """The published keys, newest last; only the newest signs."""

    def __init__(self) -> None:
        self._keys: tuple[SigningKey, ...] = (SigningKey.generate(),)
        self._lock = Lock()

    @property
    def current(self) -> SigningKey:
        return self._keys[-1]

    @property
    def kids(self) -> tuple[str, ...]:
        return tuple(key.kid for key in self._keys)

    def find(self, kid: str | None) -> SigningKey | None:
        """The published key of that name."""
        return next((key for key in self._keys if key.kid == kid), None)

    def rotate(self, *, drop_old: bool = False) -> None:
        """Sign with a new key from now on.

        The previous key stays published, so tokens it signed remain valid;
        with *drop_old* they stop being valid at once.
        """
        new = SigningKey.generate()
        with self._lock:
            self._keys = (new,) if drop_old else (*self._keys, new)[-KEYS_KEPT:]

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        # Newest first, as Auth0 lists them.
        return {"keys": [key.jwk() for key in reversed(self._keys)]}


def base64url(data: bytes) -> str:
    """Base64 with the URL alphabet and no padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _numbers(key: rsa.RSAPrivateKey) -> dict[str, str]:
    public = key.public_key().public_numbers()
    return {"n": _integer(public.n), "e": _integer(public.e)}


def _integer(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
