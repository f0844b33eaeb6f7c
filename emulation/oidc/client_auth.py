"""Which client is calling: by its secret, or for public clients by its name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from werkzeug.datastructures import Authorization

from emulation.oidc.errors import OAuthError
from emulation.oidc.registry import CLIENTS, Client


def authenticate(form: Mapping[str, str], authorization: Authorization | None) -> Client:
    """The client of a token call, through HTTP Basic or the form (RFC 6749 section 2.3.1)."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization is not None:
        if authorization.type != "basic":
            raise _unknown()
        client_id = unquote_plus(authorization.username or "")
        secret = unquote_plus(authorization.password or "")
    client = CLIENTS.get(client_id)
    if client is None:
        raise _unknown()
    if client.secret and not hmac.compare_digest(client.secret.encode(), secret.encode()):
        raise _unknown()
    return client


def _unknown() -> OAuthError:
    return OAuthError("invalid_client", "the client is unknown or its secret is wrong", 401)
