"""RFC 9457 problems: one shape for every refusal and failure over REST."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, g, json
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from hoist.domain.errors import HoistError, Unauthorized
from hoist.pipeline.events import error_view

OUR_FAULT = "this is our fault; the trace id helps us find it"
NAMES = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "not_json",
}


def problem(status: int, code: str, detail: str, **members: object) -> Response:
    body = {
        "type": f"/docs#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "retriable": False,
        "traceId": g.get("trace_id"),
        **members,
    }
    response = Response(json.dumps(body), status, mimetype="application/problem+json")
    if "retryAfterSeconds" in body:
        response.headers["Retry-After"] = str(body["retryAfterSeconds"])
    return response


def of_error(error: HoistError) -> Response:
    view = error_view(error)
    response = problem(view.pop("status"), view.pop("code"), view.pop("detail"), **view)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = (
            f'Bearer scope="" error="invalid_token" error_description="{error}"'
        )
    return response


def install(app: Flask) -> None:
    """Answer every failure of *app* with a problem."""
    app.register_error_handler(HoistError, of_error)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        code = NAMES.get(status, "http_error" if status < 500 else "internal")
        response = problem(status, code, error.description or HTTPStatus(status).phrase)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(error.valid_methods or ())  # RFC 9110 15.5.6
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        app.logger.exception("request failed")
        return problem(500, "internal", OUR_FAULT)
