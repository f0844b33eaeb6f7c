"""Which pages may call the issuer from a browser: those of the web client, on this machine."""

from __future__ import annotations

from flask import Flask, Response, request

from emulation.oidc.registry import BROWSER_ORIGINS, uri_allowed

# The control routes are missing on purpose: no web page may mint tokens.
_ENDPOINTS = ("discovery", "jwks", "token", "revoke", "userinfo")


def allow_browsers(app: Flask) -> None:
    """Answer preflights and mark the answers that scripts may read."""
    app.after_request(_mark)


def _mark(response: Response) -> Response:
    if request.endpoint not in _ENDPOINTS:
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if uri_allowed(origin, BROWSER_ORIGINS):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = "600"
    return response
