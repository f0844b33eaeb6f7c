"""OpenAPI, generated from the models the routes use; and a page to read and try it."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, send_from_directory
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema
from swagger_ui_bundle import swagger_ui_path

from hoist.domain.messages import FileDescription, UploadRequest

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hoist API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui"})</script></body></html>"""
ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js")


class _View(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class SignedUpload(_View):
    method: str
    url: str
    headers: dict[str, str] = Field(description="Send exactly these")
    expires_at: str


class File(_View):
    file_id: str
    message_id: str
    name: str
    size: int
    content_type: str
    visibility: str
    status: str
    created_at: str
    stored_at: str | None = None
    checksum_sha256: str | None = None
    etag: str | None = None
    s3_key: str = Field(alias="s3Key")
    reason: str | None = None
    download_url: str | None = None
    trace_id: str | None = None


class Upload(_View):
    file_id: str
    message_id: str | None = None
    state: str = Field(description="accepted, ready, stored, rejected or expired")
    file: File | None = None
    upload: SignedUpload | None = None
    error: dict[str, Any] | None = None


class FilePage(_View):
    files: list[File]
    next_cursor: str | None


class Ticket(_View):
    ticket: str
    expires_in_seconds: int


class Problem(_View):
    """RFC 9457; further members depend on the code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retriable: bool
    trace_id: str | None = None


MODELS = (UploadRequest, FileDescription, Upload, File, FilePage, Ticket, Problem)
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
    for status in (401, *refusals):
        content = {"application/problem+json": _ref(Problem)}
        responses[str(status)] = {"description": "refused", "content": content}
    return {"summary": summary, "responses": responses, **more}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in MODELS], ref_template="#/components/schemas/{model}"
    )
    prefer = {"name": "Prefer", "in": "header", "schema": {"type": "string"}, "example": "wait=10"}
    body = {"required": True, "content": {"application/json": _ref(UploadRequest)}}
    paths = {
        "/files/upload": {
            "post": _operation(
                "Ask for an upload",
                {201: Upload, 202: Upload},
                400,
                409,
                413,
                503,
                parameters=[prefer],
                requestBody=body,
            )
        },
        "/uploads/{fileId}": {"get": _operation("One upload", {200: Upload}, 404, parameters=[ID])},
        "/files": {
            "get": _operation(
                "Your files, newest first",
                {200: FilePage},
                400,
                503,
                parameters=[
                    _query("limit", type="integer", minimum=1, maximum=200, default=50),
                    _query("cursor", type="string"),
                ],
            )
        },
        "/files/{fileId}": {"get": _operation("One file", {200: File}, 404, parameters=[ID])},
        "/files/{fileId}/content": {
            "get": _operation("Download", {302: None}, 404, 409, parameters=[ID])
        },
        "/me": {"get": _operation("Who you are and what your tier allows", {200: None})},
        "/ws/ticket": {"post": _operation("A ticket for a browser's socket", {200: Ticket}, 503)},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hoist", "version": "1", "description": "Frames: docs/protocol.md"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


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
