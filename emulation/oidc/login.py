"""What a person sees: from /authorize to the login page and back to the client; logout."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from flask import Flask, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from emulation.oidc.authorize import AuthorizationRequest, read_request
from emulation.oidc.errors import PageError, add_query
from emulation.oidc.grants import Codes
from emulation.oidc.registry import AUDIENCE, CLIENTS, USERS, User, uri_allowed
from emulation.oidc.token import find_user
from emulation.oidc.tokens import Clock, Grant

LOGIN_SECONDS = 600


@dataclass(frozen=True)
class _Attempt:
    """A login page that is open in one browser."""

    wanted: AuthorizationRequest
    browser: str
    expires_at: float


@dataclass(frozen=True)
class LoginPages:
    """Nobody stays logged in: each authorization request asks again."""

    codes: Codes
    clock: Clock
    attempts: dict[str, _Attempt] = field(default_factory=dict)

    def register(self, app: Flask) -> None:
        app.add_url_rule("/authorize", "authorize", self.authorize)
        app.add_url_rule("/login", "login_page", self.page)
        app.add_url_rule("/login", "login", self.login, methods=["POST"])
        app.add_url_rule("/v2/logout", "logout", self.logout)
        app.add_url_rule("/oidc/logout", "oidc_logout", self.oidc_logout, methods=["GET", "POST"])

    def authorize(self) -> ResponseReturnValue:
        wanted = read_request(request.args)
        now = self.clock()
        for state, attempt in list(self.attempts.items()):
            if attempt.expires_at <= now:
                self.attempts.pop(state, None)
        state = secrets.token_urlsafe(16)
        browser = session.setdefault("browser", secrets.token_urlsafe(16))
        self.attempts[state] = _Attempt(wanted, browser, now + LOGIN_SECONDS)
        return redirect(add_query("/login", state=state))

    def page(self) -> ResponseReturnValue:
        state = request.args.get("state", "")
        return _login_page(state, self._attempt(state).wanted)

    def login(self) -> ResponseReturnValue:
        state = request.form.get("state", "")
        wanted = self._attempt(state).wanted
        user = _user_of_form()
        if user is None:
            return _login_page(state, wanted, problem="Wrong user name or password."), 401
        self.attempts.pop(state, None)
        grant = Grant(wanted.client.client_id, user, AUDIENCE, wanted.scopes, wanted.nonce)
        code = self.codes.issue(grant, wanted.redirect_uri, wanted.code_challenge)
        return redirect(add_query(wanted.redirect_uri, code=code, state=wanted.state), 303)

    def logout(self) -> ResponseReturnValue:
        return _leave(request.args.get("returnTo"), request.args.get("client_id"))

    def oidc_logout(self) -> ResponseReturnValue:
        given = request.values
        target = given.get("post_logout_redirect_uri")
        return _leave(target, given.get("client_id"), given.get("state"))

    def _attempt(self, state: str) -> _Attempt:
        """The attempt of this very browser: a state from elsewhere logs nobody in."""
        attempt = self.attempts.get(state)
        is_open = attempt is not None and attempt.expires_at > self.clock()
        if attempt is None or not is_open or attempt.browser != session.get("browser"):
            raise PageError("invalid_request", "This login page is old. Start again from the app.")
        return attempt


def _user_of_form() -> User | None:
    """By one click on a demo user, or by name and password."""
    if "demo" in request.form:
        return USERS.get(request.form["demo"])
    return find_user(request.form.get("username", ""), request.form.get("password", ""))


def _login_page(state: str, wanted: AuthorizationRequest, problem: str = "") -> str:
    return render_template(
        "login.html",
        state=state,
        client=wanted.client,
        user_name=request.form.get("username", wanted.login_hint),
        users=USERS.values(),
        problem=problem,
    )


def _leave(
    target: str | None, client_id: str | None, state: str | None = None
) -> ResponseReturnValue:
    session.clear()
    if target is None:
        return render_template("logged_out.html")
    clients = [client for name, client in CLIENTS.items() if client_id in (None, name)]
    if not any(uri_allowed(target, client.logout_uris) for client in clients):
        raise PageError("invalid_request", "The address to return to is not on the allow list.")
    return redirect(add_query(target, state=state))
