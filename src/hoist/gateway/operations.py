"""How one operation reads in OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hoist.gateway.schemas import Problem

ID = {"name": "fileId", "in": "path", "required": True, "schema": {"type": "string"}}


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def operation(
    summary: str,
    answers: dict[int, type[BaseModel] | None],
    *refusals: int,
    is_open: bool = False,
    **more: Any,
) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in answers.items():
        content = {"content": {"application/json": ref(model)}} if model else {}
        responses[str(status)] = {"description": summary, **content}
    for status in (*(() if is_open else (401,)), 429, *refusals):
        content = {"application/problem+json": ref(Problem)}
        responses[str(status)] = {"description": "refused", "content": content}
    return {
        "summary": summary,
        "responses": responses,
        **({"security": []} if is_open else {}),
        **more,
    }


def body(model: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": ref(model)}}
