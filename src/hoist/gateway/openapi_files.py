"""The part of the OpenAPI document about files, links and the caller."""

from __future__ import annotations

from typing import Any

from hoist.domain.frames import FileChange, SharePassword, ShareRequest
from hoist.domain.listing import Order
from hoist.domain.model import Status
from hoist.gateway.operations import ID, body, operation, query
from hoist.gateway.queries import STATUSES
from hoist.gateway.schemas import (
    Archive,
    File,
    FilePage,
    History,
    Me,
    Share,
    Shares,
    Ticket,
    Timeline,
)

SORTS = [sign + order for order in Order for sign in ("", "-")]
FILTERS = [
    query("sort", type="string", enum=SORTS, default="-created"),
    query("status", type="string", examples=[",".join(STATUSES), Status.DELETED]),
    query("visibility", type="string", enum=["public", "private"]),
    query("name", type="string", maxLength=255),
    query("type", type="string", examples=["image/png", "image/*"]),
    query("createdFrom", type="string", format="date-time"),
    query("createdTo", type="string", format="date-time"),
    query("sizeMin", type="integer", minimum=0),
    query("sizeMax", type="integer", minimum=0),
    query("folder", type="string", examples=["photos/2026", "photos/"]),
]
IF_MATCH = {"name": "If-Match", "in": "header", "schema": {"type": "string"}, "example": '"3"'}


def paths() -> dict[str, Any]:
    return _files() | _one_file() | _sharing() | _archives() | _caller()


def _files() -> dict[str, Any]:
    paging = [
        query("limit", type="integer", minimum=1, maximum=200, default=50),
        query("cursor", type="string"),
    ]
    page = operation("Your files", {200: FilePage}, *(400, 503), parameters=[*FILTERS, *paging])
    return {"/files": {"get": page}}


def _one_file() -> dict[str, Any]:
    of_id: dict[str, Any] = {"parameters": [ID]}
    changing: dict[str, Any] = {"parameters": [ID, IF_MATCH]}
    refusals = (400, 404, 409, 412, 503)
    change = operation(
        "Change its name, folder or visibility",
        {200: File, 202: None},
        *refusals,
        requestBody=body(FileChange),
        **changing,
    )
    permanently = query("permanently", type="boolean", default=False)
    delete = operation(
        "Into the trash, or gone for good",
        {200: File, 202: None, 204: None},
        *refusals,
        parameters=[ID, IF_MATCH, permanently],
    )
    restore = operation("Out of the trash", {200: File, 202: None}, *refusals, **changing)
    return {
        "/files/{fileId}": {
            "get": operation("One file", {200: File}, *(404, 503), **of_id),
            "patch": change,
            "delete": delete,
        },
        "/files/{fileId}/content": {
            "get": operation("Download", {302: None}, *(404, 409, 503), **of_id)
        },
        "/files/{fileId}/restore": {"post": restore},
        "/files/{fileId}/timeline": {
            "get": operation("All that happened to it", {200: Timeline}, *(404, 503), **of_id)
        },
        "/files/{fileId}/downloads": {
            "get": operation("Who downloaded it", {200: History}, *(404, 503), **of_id)
        },
    }


def _sharing() -> dict[str, Any]:
    share_id = ID | {"name": "shareId"}
    create = operation(
        "Make a link for anybody",
        {201: Share},
        *(400, 404, 409, 503),
        requestBody=body(ShareRequest) | {"required": False},
        parameters=[ID],
    )
    shares = operation(
        "Your links", {200: Shares}, 503, parameters=[query("fileId", type="string")]
    )
    revoke = operation("End a link", {204: None}, *(404, 503), parameters=[share_id])
    public = operation(
        "Download a public file", {302: None}, *(404, 503), parameters=[ID], is_open=True
    )
    follow = operation(
        "Download through a link",
        {302: None},
        *(403, 404, 503),
        parameters=[share_id],
        is_open=True,
    )
    unlock = operation(
        "Download through a link with a password",
        {303: None},
        *(400, 403, 404, 503),
        requestBody=body(SharePassword),
        parameters=[share_id],
        is_open=True,
    )
    return {
        "/files/{fileId}/shares": {"post": create},
        "/shares": {"get": shares},
        "/shares/{shareId}": {"delete": revoke},
        "/public/{fileId}": {"get": public},
        "/s/{shareId}": {"get": follow, "post": unlock},
    }


def _archives() -> dict[str, Any]:
    ask = operation("Ask for a zip of a list", {202: Archive}, *(400, 409, 503), parameters=FILTERS)
    one = operation(
        "One archive", {200: Archive}, *(404, 503), parameters=[ID | {"name": "archiveId"}]
    )
    return {"/archives": {"post": ask}, "/archives/{archiveId}": {"get": one}}


def _caller() -> dict[str, Any]:
    me = operation("Who you are, what your tier allows, and what you use", {200: Me}, 503)
    ticket = operation("A ticket for a browser's socket", {200: Ticket}, 503)
    return {"/me": {"get": me}, "/ws/ticket": {"post": ticket}}
