"""What requests are called in the statistics: few names, whatever ids are in the paths."""

from __future__ import annotations

ROUTES = (
    "/files/upload",
    "/files",
    "/files/{id}",
    "/files/{id}/content",
    "/files/{id}/timeline",
    "/files/{id}/shares",
    "/shares/{id}",
    "/s/{id}",
    "/uploads/{id}",
    "/uploads/{id}/parts",
    "/uploads/{id}/complete",
    "/me",
)
SIZES = (
    (4 * 1024, "4 KiB"),
    (64 * 1024, "64 KiB"),
    (1024**2, "1 MiB"),
    (16 * 1024**2, "16 MiB"),
)
LARGER = "more"


def route(path: str) -> str:
    """The route of *path*, without ids and query.

    Raises ``ValueError`` for one that has no name here: who calls it must give it one.
    """
    asked = path.partition("?")[0].split("/")
    for known in ROUTES:
        parts = known.split("/")
        if len(parts) == len(asked) and all(
            part in ("{id}", given) for part, given in zip(parts, asked, strict=True)
        ):
            return known
    raise ValueError(f"no name for requests of {path}; add its route to {__name__}.ROUTES")


def put(size: int) -> str:
    """What a PUT of so many bytes is called."""
    label = next((label for limit, label in SIZES if size <= limit), LARGER)
    return f"PUT up to {label}" if label != LARGER else "PUT larger"
