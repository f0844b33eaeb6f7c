"""The other end of a browser login: a web server for exactly one answer (RFC 8252)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast
from urllib.parse import parse_qs, urlsplit

from hoist.client import HoistProblem, Issuer, Tokens

WAIT_SECONDS = 300
PAGE = "<!doctype html><title>Hoist</title><p>{}</p><p>You can close this page.</p>"


class _Server(HTTPServer):
    state: str
    answer: dict[str, str] | None = None


class _Callback(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(_Server, self.server)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != "/callback":
            self._page(404, "There is nothing here.")
        elif not secrets.compare_digest(query.get("state", "").encode(), server.state.encode()):
            # Not the answer to our question: somebody else's page may be trying.
            self._page(400, "This is not the login that was started.")
        else:
            server.answer = query
            self._page(200, "Login failed." if "error" in query else "You are logged in.")

    def _page(self, status: int, sentence: str) -> None:
        body = PAGE.format(sentence).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the request line holds the code."""


def browser_login(
    issuer: Issuer, show: Callable[[str], None], *, wait_seconds: float = WAIT_SECONDS
) -> Tokens:
    """Let a person log in at the URL that *show* presents, and wait for the answer."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    with _Server(("127.0.0.1", 0), _Callback) as server:
        server.state = state
        redirect_uri = f"http://127.0.0.1:{server.server_port}/callback"
        show(issuer.authorize_url(redirect_uri=redirect_uri, state=state, verifier=verifier))
        ends_at = time.monotonic() + wait_seconds
        while server.answer is None and (left := ends_at - time.monotonic()) > 0:
            server.timeout = left
            server.handle_request()
        answer = server.answer
    if answer is None:
        raise HoistProblem("login_timeout", 408, f"nobody logged in within {wait_seconds:.0f} s")
    if "code" not in answer:
        detail = answer.get("error_description", "the login was refused")
        raise HoistProblem(answer.get("error", "login_failed"), 403, detail)
    return issuer.exchange(answer["code"], redirect_uri=redirect_uri, verifier=verifier)
