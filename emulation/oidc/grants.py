"""What the issuer remembers between two calls: authorization codes and refresh tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from threading import Lock

from emulation.oidc.errors import OAuthError
from emulation.oidc.keys import base64url
from emulation.oidc.tokens import Clock, Grant

CODE_SECONDS = 60
REFRESH_SECONDS = 30 * 24 * 3600
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Code:
    """A login waiting for its client; ``family_id`` names the refresh tokens to come."""

    grant: Grant
    redirect_uri: str
    challenge: str | None
    expires_at: float
    family_id: str
    is_spent: bool = False


@dataclass(frozen=True)
class _Family:
    grant: Grant
    secret: str
    expires_at: float


class RefreshTokens:
    """Refresh tokens that rotate: only the newest of a family works.

    A token is ``family.secret``, so an old one is recognised without keeping it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._families: dict[str, _Family] = {}
        self._lock = Lock()

    def start(self, grant: Grant, family_id: str | None = None) -> str:
        """The first token of a new family."""
        family_id = family_id or secrets.token_urlsafe(12)
        family = _Family(grant, secrets.token_urlsafe(32), self._clock() + REFRESH_SECONDS)
        with self._lock:
            self._families[family_id] = family
        return f"{family_id}.{family.secret}"

    def rotate(self, token: str, client_id: str) -> tuple[Grant, str]:
        """The grant behind *token*, and the token that replaces it.

        A second use of the same token ends the family: one of the two
        callers stole it, and nobody can say which.
        """
        family_id, _, secret = token.partition(".")
        with self._lock:
            family = self._families.get(family_id)
            if family is None or family.grant.client_id != client_id:
                raise _unusable("refresh token")
            is_current = hmac.compare_digest(family.secret.encode(), secret.encode())
            if not is_current or family.expires_at <= self._clock():
                del self._families[family_id]
                raise _unusable("refresh token")
            renewed = replace(family, secret=secrets.token_urlsafe(32))
            self._families[family_id] = renewed
        return family.grant, f"{family_id}.{renewed.secret}"

    def revoke(self, token: str, client_id: str) -> None:
        """End the family of *token*; an unknown token is no error (RFC 7009)."""
        family_id = token.partition(".")[0]
        with self._lock:
            family = self._families.get(family_id)
            if family and family.grant.client_id == client_id:
                del self._families[family_id]


class Codes:
    """Authorization codes: one attempt, one minute."""

    def __init__(self, clock: Clock, refresh_tokens: RefreshTokens) -> None:
        self._clock = clock
        self._refresh_tokens = refresh_tokens
        self._codes: dict[str, Code] = {}
        self._lock = Lock()

    def issue(self, grant: Grant, redirect_uri: str, challenge: str | None) -> str:
        text, now = secrets.token_urlsafe(32), self._clock()
        family_id = secrets.token_urlsafe(12)
        code = Code(grant, redirect_uri, challenge, now + CODE_SECONDS, family_id)
        with self._lock:
            # Spent codes stay until they expire, so that a second use is noticed.
            kept = {key: old for key, old in self._codes.items() if old.expires_at > now}
            self._codes = kept | {text: code}
        return text

    def redeem(self, text: str, client_id: str, redirect_uri: str, verifier: str) -> Code:
        """Spend a code; the first attempt spends it whether right or wrong."""
        with self._lock:
            code = self._codes.get(text)
            if code is None:
                raise _unusable("code")
            self._codes[text] = replace(code, is_spent=True)
        if code.is_spent:
            # RFC 6749 section 4.1.2: what the first use obtained is withdrawn as well.
            self._refresh_tokens.revoke(code.family_id, code.grant.client_id)
            raise _unusable("code")
        if code.expires_at <= self._clock() or code.grant.client_id != client_id:
            raise _unusable("code")
        if code.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri differs from the request's")
        if code.challenge and not _proves(verifier, code.challenge):
            raise OAuthError("invalid_grant", "code_verifier does not match code_challenge")
        return code


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636, method S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    hashed = base64url(hashlib.sha256(verifier.encode()).digest())
    return hmac.compare_digest(hashed, challenge)


def _unusable(what: str) -> OAuthError:
    # One sentence for unknown, expired, used and foreign: nothing to probe.
    return OAuthError("invalid_grant", f"the {what} is unknown, expired or already used")
