"""The OpenID Connect issuer: how a user's proof becomes tokens."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import httpx

from hoist.client.problems import HoistProblem, Unreachable
from hoist.client.tokens import Tokens

CLIENT_ID = "hoist-cli"
SCOPE = "openid profile email offline_access"
TIMEOUT_SECONDS = 15


def code_challenge(verifier: str) -> str:
    """RFC 7636, method S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Issuer:
    """Finds its endpoints by discovery, at the first call that needs one."""

    def __init__(
        self,
        url: str,
        *,
        audience: str,
        client_id: str = CLIENT_ID,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = url if url.endswith("/") else url + "/"
        self._audience = audience
        self._client_id = client_id
        self._clock = clock

    def authorize_url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """Where a person logs in; the answer goes to *redirect_uri* with a code and *state*."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "audience": self._audience,
            "state": state,
            "code_challenge": code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}"

    def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Tokens:
        """The tokens for an authorization code."""
        form = {"code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        return self._tokens("authorization_code", form)

    def password(self, user: str, password: str) -> Tokens:
        """The tokens for a user name and a password: for scripts and demos."""
        form = {
            "username": user,
            "password": password,
            "scope": SCOPE,
            "audience": self._audience,
        }
        return self._tokens("password", form)

    def refresh(self, refresh_token: str) -> Tokens:
        """Fresh tokens; *refresh_token* is spent by this unless the issuer lets it live on."""
        return self._tokens("refresh_token", {"refresh_token": refresh_token})

    def revoke(self, refresh_token: str) -> None:
        """End the login at the issuer."""
        form = {"token": refresh_token, "client_id": self._client_id}
        self._call("POST", self._endpoint("revocation_endpoint"), form)

    @cached_property
    def _document(self) -> dict[str, Any]:
        document = self._call("GET", f"{self.url}.well-known/openid-configuration").json()
        # Another issuer's document would send the password elsewhere.
        if document.get("issuer") != self.url:
            detail = f"{self.url} calls itself {document.get('issuer')!r}; check HOIST_ISSUER"
            raise HoistProblem("wrong_issuer", 502, detail)
        return dict(document)

    def _endpoint(self, name: str) -> str:
        if name not in self._document:
            raise HoistProblem("wrong_issuer", 502, f"{self.url} offers no {name}")
        return str(self._document[name])

    def _tokens(self, grant_type: str, form: dict[str, str]) -> Tokens:
        form = {"grant_type": grant_type, "client_id": self._client_id, **form}
        asked_at = self._clock()
        answer = self._call("POST", self._endpoint("token_endpoint"), form).json()
        # Not every issuer rotates refresh tokens: without a new one the old one stays.
        return Tokens(
            access_token=answer["access_token"],
            expires_at=asked_at + float(answer["expires_in"]),
            refresh_token=answer.get("refresh_token") or form.get("refresh_token"),
        )

    def _call(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
        try:
            answer = httpx.request(method, url, data=form, timeout=TIMEOUT_SECONDS)
        except httpx.TransportError as error:
            raise Unreachable(f"the issuer at {self.url} does not answer") from error
        if answer.is_success and _is_json(answer):
            return answer
        body = answer.json() if _is_json(answer) else {}
        detail = body.get("error_description") or f"the issuer answered {answer.status_code}"
        raise HoistProblem(str(body.get("error", "issuer_error")), answer.status_code, detail)


def _is_json(answer: httpx.Response) -> bool:
    """Revocation answers with an empty body; what else is not a JSON object is not OAuth."""
    if not answer.content:
        return answer.is_success
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False
