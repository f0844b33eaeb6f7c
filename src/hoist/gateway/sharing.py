"""The routes of links: made and revoked by owners, followed by anybody."""

from __future__ import annotations

from html import escape

from flask import Flask, Response, g, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from hoist.domain.errors import PasswordRequired, TooManyTries
from hoist.domain.frames import SharePassword, ShareRequest
from hoist.domain.model import Principal
from hoist.domain.policy import BASIC
from hoist.gateway.bodies import Caller, body
from hoist.gateway.flood import FloodGuard
from hoist.gateway.queries import check_names
from hoist.wiring import Services

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hoist</title>
<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">
<style>body{{font:16px system-ui;max-width:22rem;margin:20vh auto;padding:0 1rem}}
input,button{{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin-top:.5rem}}</style>
</head><body><form method="post"><label>This file needs a password
<input type="password" name="password" required autofocus maxlength="200"></label>
<button>Download</button><p role="alert">{told}</p></form></body></html>"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action *; frame-ancestors 'none'"


def install(app: Flask, services: Services, caller: Caller, guard: FloodGuard) -> None:
    _owning(app, services, caller)
    _following(app, services, guard)


def _owning(app: Flask, services: Services, caller: Caller) -> None:
    def with_url(share: dict[str, object]) -> dict[str, object]:
        base = services.settings.public_url or request.url_root
        return share | {"url": f"{base.rstrip('/')}/s/{share['shareId']}"}

    @app.post("/files/<file_id>/shares")
    def create(file_id: str) -> tuple[Response, int, dict[str, str]]:
        user_id, wanted = caller().user_id, body(ShareRequest, is_optional=True)
        share = with_url(services.share_files.create(user_id, file_id, wanted, g.trace_id))
        return jsonify(share), 201, {"Location": f"/shares/{share['shareId']}"}

    @app.get("/shares")
    def shares() -> Response:
        user_id = caller().user_id
        check_names(request.args, "fileId")
        told = services.share_files.list(user_id, request.args.get("fileId"))
        return jsonify({"shares": [with_url(share) for share in told["shares"]]})

    @app.delete("/shares/<share_id>")
    def revoke(share_id: str) -> Response:
        user_id = caller().user_id
        services.share_files.revoke(user_id, share_id, g.trace_id)
        return Response(status=204)


def _following(app: Flask, services: Services, guard: FloodGuard) -> None:
    def anybody() -> None:
        guard.take(Principal(f"ip#{request.remote_addr}", BASIC, (), 0))

    @app.get("/public/<file_id>")
    def public(file_id: str) -> BaseResponse:
        anybody()
        if request.method == "HEAD":
            services.share_files.public_file(file_id)
            return Response()
        return redirect(services.share_files.public_url(file_id, g.trace_id), 302)

    @app.get("/s/<share_id>")
    def follow(share_id: str) -> BaseResponse:
        anybody()
        if request.method == "HEAD":
            # Previews of chats look so: that is no download, and gets no URL.
            services.share_files.open_link(share_id)
            return Response()
        try:
            return redirect(services.share_files.link_url(share_id, None, g.trace_id), 302)
        except PasswordRequired:
            if _is_browser():
                return _form("")
            raise

    @app.post("/s/<share_id>")
    def unlock(share_id: str) -> BaseResponse:
        anybody()
        # curl -d sends JSON under this type as well.
        is_json = request.get_data().lstrip().startswith(b"{")
        is_form = request.mimetype == "application/x-www-form-urlencoded" and not is_json
        password = (
            request.form.get("password", "")[:200] if is_form else body(SharePassword).password
        )
        try:
            return redirect(
                services.share_files.link_url(
                    share_id, password, g.trace_id, str(request.remote_addr)
                ),
                303,
            )
        except (PasswordRequired, TooManyTries) as error:
            if is_form:
                response = _form(str(error), error.status)
                if isinstance(error, TooManyTries):
                    seconds = error.details()["retryAfterSeconds"]
                    response.headers["Retry-After"] = str(seconds)
                return response
            raise


def _is_browser() -> bool:
    kinds = ["application/problem+json", "text/html"]
    return request.accept_mimetypes.best_match(kinds) == "text/html"


def _form(told: str, status: int = 403) -> Response:
    response = Response(PAGE.format(told=escape(told)), status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response
