"""Reading an authorization request: who asks, where the answer goes, what is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from emulation.oidc.errors import PageError, ReturnedError
from emulation.oidc.registry import AUDIENCE, CLIENTS, DEFAULT_USER_SCOPE, Client, uri_allowed

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that was found to be right; only the login is missing."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str | None
    state: str | None
    nonce: str | None
    login_hint: str


def read_request(parameters: Mapping[str, str]) -> AuthorizationRequest:
    """Check the parameters of GET /authorize.

    Raises PageError while the redirect address is not known to be the
    client's (answering there would make an open redirector), and
    ReturnedError from then on.
    """
    client = CLIENTS.get(parameters.get("client_id", ""))
    if client is None:
        raise PageError("invalid_request", "client_id names no client of this issuer.")
    redirect_uri = parameters.get("redirect_uri", "")
    if not uri_allowed(redirect_uri, client.redirect_uris):
        raise PageError("invalid_request", "redirect_uri is not on the client's allow list.")
    state = parameters.get("state")
    problem = _problem(client, parameters)
    if problem:
        raise ReturnedError(*problem, redirect_uri, state)
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        scopes=client.allowed_scopes(parameters.get("scope") or DEFAULT_USER_SCOPE),
        code_challenge=parameters.get("code_challenge"),
        state=state,
        nonce=parameters.get("nonce"),
        login_hint=parameters.get("login_hint", ""),
    )


def _problem(client: Client, parameters: Mapping[str, str]) -> tuple[str, str] | None:
    """The first thing wrong with a request whose redirect address is right."""
    if parameters.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code"
    if parameters.get("response_mode", "query") != "query":
        return "invalid_request", "response_mode must be query"
    if parameters.get("audience", AUDIENCE) != AUDIENCE:
        return "access_denied", "the audience is not known to this issuer"
    if parameters.get("prompt") == "none":
        return "login_required", "this issuer keeps nobody logged in"
    return _challenge_problem(client, parameters)


def _challenge_problem(client: Client, parameters: Mapping[str, str]) -> tuple[str, str] | None:
    challenge = parameters.get("code_challenge")
    if challenge is None:
        return ("invalid_request", "code_challenge is required") if client.is_public else None
    if parameters.get("code_challenge_method") != "S256":
        return "invalid_request", "code_challenge_method must be S256"
    if not _CHALLENGE.fullmatch(challenge):
        return "invalid_request", "code_challenge must be 43 base64url characters"
    return None
