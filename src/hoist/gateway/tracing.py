"""What goes around every request: its trace, and what browsers are told."""

from __future__ import annotations

from flask import Flask, Response, g, request

from hoist import telemetry


def install(app: Flask, origins: str) -> None:
    """Every request belongs to a trace, its caller's when it names one; every answer says so."""
    allowed = set(origins.split(","))

    @app.before_request
    def begin() -> None:
        named = {name: request.headers.get(name, "") for name in telemetry.TRACE_HEADERS}
        g.trace_id = telemetry.trace_of(named) or telemetry.new_trace()
        telemetry.bind(g.trace_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in telemetry.trace_headers(g.get("trace_id", "0" * 32)).items():
            response.headers[name] = value
        origin = request.headers.get("Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Allow-Headers"] = (
                "Authorization, Content-Type, Prefer, If-Match, Idempotency-Key"
            )
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE, OPTIONS"
            response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After, ETag"
            response.headers["Vary"] = "Origin"
        return response
