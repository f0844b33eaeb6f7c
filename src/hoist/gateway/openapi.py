"""OpenAPI, generated from the models the routes use; and a page to read and try it."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, send_from_directory
from pydantic.json_schema import models_json_schema
from swagger_ui_bundle import swagger_ui_path

from hoist.domain.frames import (
    FileChange,
    FileDescription,
    ProgressReport,
    SharePassword,
    ShareRequest,
    SignRequest,
    UploadRequest,
)
from hoist.gateway import openapi_files
from hoist.gateway.operations import ID, body, operation
from hoist.gateway.schemas import (
    Archive,
    File,
    FilePage,
    History,
    Me,
    Problem,
    Share,
    Shares,
    SignedParts,
    Ticket,
    Timeline,
    Upload,
)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hoist API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui"})</script></body></html>"""
ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js")


MODELS = (
    UploadRequest,
    FileDescription,
    SignRequest,
    ProgressReport,
    Upload,
    SignedParts,
    File,
    FilePage,
    FileChange,
    Timeline,
    History,
    ShareRequest,
    SharePassword,
    Share,
    Shares,
    Archive,
    Me,
    Ticket,
    Problem,
)


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hoist", "version": "1", "description": "Frames: docs/protocol.md"},
        "security": [{"token": []}],
        "paths": _uploads() | openapi_files.paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _uploads() -> dict[str, Any]:
    prefer = {"name": "Prefer", "in": "header", "schema": {"type": "string"}, "example": "wait=10"}
    ask = operation(
        "Ask for an upload",
        {200: Upload, 201: Upload, 202: Upload},
        *(400, 403, 409, 413, 503),
        parameters=[prefer],
        requestBody=body(UploadRequest),
    )
    one: dict[str, Any] = {"parameters": [ID]}
    sign = operation(
        "Sign parts of a large file",
        {200: SignedParts},
        *(400, 404, 409, 503),
        requestBody=body(SignRequest),
        **one,
    )
    join = operation("Join the parts", {200: Upload, 202: Upload}, *(404, 409, 503), **one)
    report = operation(
        "Tell how far it is", {204: None}, *(400, 404), requestBody=body(ProgressReport), **one
    )
    return {
        "/files/upload": {"post": ask},
        "/uploads/{fileId}": {
            "get": operation("One upload", {200: Upload}, *(404, 503), **one),
            "delete": operation("Cancel it", {202: Upload}, *(404, 503), **one),
        },
        "/uploads/{fileId}/parts": {"post": sign},
        "/uploads/{fileId}/complete": {"post": join},
        "/uploads/{fileId}/progress": {"post": report},
    }


def install(app: Flask, told: dict[str, Any]) -> None:
    """Serve *told*, an OpenAPI document, and a page to read it."""

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(told)

    @app.get("/docs")
    def docs() -> Response:
        return Response(PAGE, mimetype="text/html")

    @app.get("/docs/<name>")
    def asset(name: str) -> Response:
        return send_from_directory(swagger_ui_path, name if name in ASSETS else "none")
