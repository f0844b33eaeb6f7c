"""Every way the issuer refuses, named by how the refusal is answered.

IssuerError
├── OAuthError      JSON with ``error`` and ``error_description`` (RFC 6749 section 5.2)
├── ReturnedError   a redirect that tells the client (RFC 6749 section 4.1.2.1)
└── PageError       a page for the person: the redirect address itself cannot be trusted
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

from flask import Flask, Response, redirect, render_template
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException


class IssuerError(Exception):
    """A refusal with an RFC 6749 code and a sentence for the reader."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class OAuthError(IssuerError):
    """Refused at an endpoint that programs call."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(code, description)
        self.status = status


class ReturnedError(IssuerError):
    """Refused on the way to the login page, with an address known to be the client's."""

    def __init__(self, code: str, description: str, redirect_uri: str, state: str | None) -> None:
        super().__init__(code, description)
        self.redirect_uri = redirect_uri
        self.state = state


class PageError(IssuerError):
    """Refused in front of a person."""


def add_query(uri: str, **parameters: str | None) -> str:
    """*uri* with the given parameters; absent ones are left out."""
    present = {name: value for name, value in parameters.items() if value is not None}
    return f"{uri}?{urlencode(present)}" if present else uri


def answer_errors(app: Flask) -> None:
    """Register the answer of each kind of refusal."""
    app.register_error_handler(OAuthError, _answer_json)
    app.register_error_handler(ReturnedError, _answer_redirect)
    app.register_error_handler(PageError, _answer_page)
    app.register_error_handler(HTTPException, _answer_http)


def _answer_json(error: OAuthError) -> ResponseReturnValue:
    headers = {"Cache-Control": "no-store"}
    if error.status == 401:
        scheme = "Bearer" if error.code == "invalid_token" else "Basic"
        headers["WWW-Authenticate"] = f'{scheme} realm="hoist", error="{error.code}"'
    return {"error": error.code, "error_description": error.description}, error.status, headers


def _answer_redirect(error: ReturnedError) -> ResponseReturnValue:
    target = add_query(
        error.redirect_uri,
        error=error.code,
        error_description=error.description,
        state=error.state,
    )
    return redirect(target)


def _answer_page(error: PageError) -> ResponseReturnValue:
    return render_template("error.html", error=error), 400


def _answer_http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    code = "server_error" if status >= 500 else "invalid_request"
    # The headers hold the Allow of a 405; their content type is that of a page.
    headers = Headers(error.get_headers()) | {"Content-Type": "application/json"}
    body = json.dumps({"error": code, "error_description": error.description})
    return Response(body, status, headers)
