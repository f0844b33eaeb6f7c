"""Whether the process lives, whether its dependencies answer, and its counters; for anybody."""

from __future__ import annotations

from flask import Flask, Response, jsonify

from hoist import telemetry
from hoist.wiring import Services


def install(app: Flask, services: Services) -> None:
    @app.get("/metrics")
    def metrics() -> Response:
        return Response(telemetry.metrics(), content_type=telemetry.METRICS_TYPE)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        told = services.ready()
        is_ready = all(answer == "ok" for answer in told.values())
        return jsonify({"ready": is_ready, "dependencies": told}), 200 if is_ready else 503
