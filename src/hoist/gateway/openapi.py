"""OpenAPI, generated from the models the routes use; and a page to read and try it."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, send_from_directory
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from swagger_ui_bundle import swagger_ui_path

from hoist.domain.frames import FileDescription, ProgressReport, SignRequest, UploadRequest
from hoist.gateway.schemas import (
    File,
    FilePage,
    Me,
    Problem,
    SignedParts,
    Ticket,
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
    Me,
    Ticket,
    Problem,
)
ID = {"name": "fileId", "in": "path", "required": True, "schema": {"type": "string"}}


def _query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def _operation(
    summary: str, answers: dict[int, type[BaseModel] | None], *refusals: int, **more: Any
) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in answers.items():
        content = {"content": {"application/json": _ref(model)}} if model else {}
        responses[str(status)] = {"description": summary, **content}
    for status in (401, 429, *refusals):
        content = {"application/problem+json": _ref(Problem)}
        responses[str(status)] = {"description": "refused", "content": content}
    return {"summary": summary, "responses": responses, **more}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hoist", "version": "1", "description": "Frames: docs/protocol.md"},
        "security": [{"token": []}],
        "paths": _uploads() | _files(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _uploads() -> dict[str, Any]:
    prefer = {"name": "Prefer", "in": "header", "schema": {"type": "string"}, "example": "wait=10"}
    ask = _operation(
        "Ask for an upload",
        {201: Upload, 202: Upload},
        *(400, 403, 409, 413, 503),
        parameters=[prefer],
        requestBody=_body(UploadRequest),
    )
    one: dict[str, Any] = {"parameters": [ID]}
    sign = _operation(
        "Sign parts of a large file",
        {200: SignedParts},
        *(400, 404, 409, 503),
        requestBody=_body(SignRequest),
        **one,
    )
    join = _operation("Join the parts", {200: Upload, 202: Upload}, *(404, 409, 503), **one)
    report = _operation(
        "Tell how far it is", {204: None}, *(400, 404), requestBody=_body(ProgressReport), **one
    )
    return {
        "/files/upload": {"post": ask},
        "/uploads/{fileId}": {
            "get": _operation("One upload", {200: Upload}, *(404, 503), **one),
            "delete": _operation("Cancel it", {202: Upload}, *(404, 503), **one),
        },
        "/uploads/{fileId}/parts": {"post": sign},
        "/uploads/{fileId}/complete": {"post": join},
        "/uploads/{fileId}/progress": {"post": report},
    }


def _files() -> dict[str, Any]:
    query = [
        _query("limit", type="integer", minimum=1, maximum=200, default=50),
        _query("cursor", type="string"),
    ]
    page = _operation("Your files, newest first", {200: FilePage}, *(400, 503), parameters=query)
    content = _operation("Download", {302: None}, *(404, 409, 503), parameters=[ID])
    one = _operation("One file", {200: File}, *(404, 503), parameters=[ID])
    me = _operation("Who you are, what your tier allows, and what you use", {200: Me}, 503)
    ticket = _operation("A ticket for a browser's socket", {200: Ticket}, 503)
    return {
        "/files": {"get": page},
        "/files/{fileId}": {"get": one},
        "/files/{fileId}/content": {"get": content},
        "/me": {"get": me},
        "/ws/ticket": {"post": ticket},
    }


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": _ref(model)}}


def install(app: Flask) -> None:
    told = document()

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(told)

    @app.get("/docs")
    def docs() -> Response:
        return Response(PAGE, mimetype="text/html")

    @app.get("/docs/<name>")
    def asset(name: str) -> Response:
        return send_from_directory(swagger_ui_path, name if name in ASSETS else "none")
