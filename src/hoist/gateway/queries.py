"""The query parameters of a list (docs/protocol.md, Lists)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from hoist.domain.errors import InvalidRequest
from hoist.domain.listing import Listing, Order
from hoist.domain.model import HIDDEN, Status, Visibility
from hoist.domain.policy import FOLDER_BYTES_MAX

Query = MultiDict[str, str]
PAGING = ("limit", "cursor")
FILTERS = (
    "sort",
    "status",
    "visibility",
    "name",
    "type",
    "createdFrom",
    "createdTo",
    "sizeMin",
    "sizeMax",
    "folder",
)
STATUSES = [status for status in Status if status not in HIDDEN]
SEARCH_BYTES_MAX = 255  # with a folder and a cursor, all of it fits into a request line
NUMBER = re.compile(r"\d{1,15}", re.ASCII)


def listing_of(query: Query, *more: str) -> Listing:
    """What *query* asks to see; *more* are parameters that somebody else reads.

    Raises ``InvalidRequest`` for a parameter that is unknown, wrong, or there twice.
    """
    check_names(query, *FILTERS, *more)
    status = query.get("status", "")
    is_trash = status == Status.DELETED
    folder = query.get("folder")
    return Listing(
        **_order(query.get("sort", "-created")),
        is_trash=is_trash,
        statuses=frozenset() if is_trash else _statuses(status),
        visibility=_visibility(query.get("visibility")),
        name_contains=_text("name", query.get("name", ""), SEARCH_BYTES_MAX),
        content_type=_kind(query.get("type", "")),
        created_from_ms=_time("createdFrom", query.get("createdFrom")),
        created_to_ms=_time("createdTo", query.get("createdTo")),
        size_min=number_of(query, "sizeMin"),
        size_max=number_of(query, "sizeMax"),
        folder=None if folder is None else _text("folder", folder, FOLDER_BYTES_MAX).rstrip("/"),
        is_deep=folder is not None and folder.endswith("/"),
    )


def check_names(query: Query, *known: str) -> None:
    """Raises ``InvalidRequest`` for a parameter that is not *known*, or there twice."""
    for name, values in query.lists():
        if name not in known:
            raise InvalidRequest(f"{name}: there is no such parameter", name[:50])
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given twice", name)


def number_of(query: Query, name: str) -> int | None:
    """The whole number in *query*, or None. Raises ``InvalidRequest``."""
    text = query.get(name)
    if text is None:
        return None
    if not NUMBER.fullmatch(text):
        raise InvalidRequest(f"{name} is a whole number", name)
    return int(text)


def _order(sort: str) -> dict[str, Any]:
    name = sort.removeprefix("-")
    if name not in list(Order):
        choices = ", ".join(Order)
        raise InvalidRequest(f"sort is one of {choices}, with - before it descending", "sort")
    return {"order": Order(name), "is_descending": sort.startswith("-")}


def _statuses(text: str) -> frozenset[Status]:
    names = text.split(",") if text else []
    if unknown := [name for name in names if name not in STATUSES]:
        told = ", ".join(STATUSES)
        if Status.DELETED in unknown:
            raise InvalidRequest("deleted stands alone: the trash is a list of its own", "status")
        raise InvalidRequest(f"status is one or more of {told}; or deleted, alone", "status")
    return frozenset(map(Status, names))


def _visibility(text: str | None) -> Visibility | None:
    if text not in (None, *Visibility):
        raise InvalidRequest("visibility is public or private", "visibility")
    return Visibility(text) if text else None


def _kind(text: str) -> str:
    if not re.fullmatch(r"(?:[\w.+-]+/(?:\*|[\w.+;= -]+))?", text, re.ASCII) or len(text) > 300:
        raise InvalidRequest("type is a media type such as image/png, or image/*", "type")
    return text.removesuffix("*")


def _text(name: str, text: str, bytes_max: int) -> str:
    if "\0" in text or len(text.encode()) > bytes_max:
        raise InvalidRequest(f"{name} has at most {bytes_max} bytes, and no NUL", name)
    return text


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or "T" not in text or at.tzinfo is None:
        raise InvalidRequest(f"{name} is a time such as 2026-01-31T12:00:00Z", name)
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
