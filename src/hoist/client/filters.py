"""Which files a list, a download of many or an archive means, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TypedDict

Sort = Literal["created", "-created", "name", "-name", "size", "-size"]


class Filters(TypedDict, total=False):
    """All at once if you like; docs/protocol.md says what each shows.

    Times are RFC 3339 text or ``datetime`` with a time zone. ``folder=""`` is a filter, too: the
    files in no folder.
    """

    sort: Sort
    status: str | Sequence[str]
    visibility: Literal["private", "public"]
    name: str
    type: str
    created_from: str | datetime
    created_to: str | datetime
    size_min: int
    size_max: int
    folder: str


_PARAMETERS = {
    "created_from": "createdFrom",
    "created_to": "createdTo",
    "size_min": "sizeMin",
    "size_max": "sizeMax",
}


def query_of(filters: Filters) -> dict[str, str | int]:
    """*filters* as query parameters. Raises ``TypeError`` for one that does not exist."""
    if unknown := filters.keys() - Filters.__annotations__.keys():
        raise TypeError(f"no such filter: {', '.join(sorted(unknown))}")
    return {_PARAMETERS.get(name, name): _text(value) for name, value in filters.items()}


def _text(value: object) -> str | int:
    if isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert isinstance(value, Sequence)
    return ",".join(map(str, value))
