"""The admin API's document, from the models that its routes use."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hoist.admin.requests import LetterQuery, ReplayRequest
from hoist.admin.schemas import Letter, Letters, Outcomes, WholeLetter
from hoist.gateway.operations import body, operation, query
from hoist.gateway.schemas import Problem

MODELS: tuple[type[BaseModel], ...] = (
    Letter,
    Letters,
    WholeLetter,
    Outcomes,
    ReplayRequest,
    Problem,
)
ID = {
    "name": "letterId",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "examples": ["upload-basic:17"]},
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hoist admin", "version": "1", "description": "docs/operations.md"},
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    one: dict[str, Any] = {"parameters": [ID]}
    any_json = {"required": True, "content": {"application/json": {"schema": {}}}}
    reason = query("reason", type="string", minLength=1, maxLength=500) | {"required": True}
    mend = operation(
        "Mend its payload: the body is kept byte for byte",
        {200: WholeLetter},
        *(400, 403, 404, 409, 503),
        requestBody=any_json,
        **one,
    )
    give_up = operation(
        "Give it up",
        {200: WholeLetter},
        *(400, 403, 404, 409, 503),
        parameters=[ID, reason],
    )
    again = operation(
        "Send letters on their way again",
        {200: Outcomes},
        *(400, 403, 404, 503),
        requestBody=body(ReplayRequest),
    )
    return {
        "/admin/dlq": {
            "get": operation("Dead letters", {200: Letters}, *(400, 403, 503), parameters=_query())
        },
        "/admin/dlq/{letterId}": {
            "get": operation("One letter", {200: WholeLetter}, *(403, 404, 503), **one),
            "delete": give_up,
        },
        "/admin/dlq/{letterId}/payload": {"put": mend},
        "/admin/dlq/replay": {"post": again},
    }


def _query() -> list[dict[str, Any]]:
    members = LetterQuery.model_json_schema(by_alias=True)["properties"]
    members["groups"] = {"type": "string", "description": "Comma separated"}
    return [query(name, **schema) for name, schema in members.items()]
