"""How a file's owner changes its row: other names, the trash and back, gone for good.

A change may name the ``revision`` it was made for: of two for the same one the first wins. A change
that comes again is no change: its id is among the row's last ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hoist.domain.model import CHANGES_KEPT, FileRecord, Status, Visibility

ENDED = (Status.REJECTED, Status.EXPIRED, Status.MISSING)  # nothing that a trash could give back
DELETABLE = (Status.STORED, *ENDED)


@dataclass(frozen=True, slots=True)
class Change:
    """An owner's wish: its id, and the revision that the row must have; None when any will do."""

    id: str
    revision: int | None = None


def edited(
    current: FileRecord | None,
    change: Change,
    *,
    name: str | None = None,
    folder: str | None = None,
    visibility: Visibility | None = None,
) -> FileRecord | None:
    """The row of a stored file with another name, folder or visibility; None leaves it alone."""
    if current is None or not _may(current, change, Status.STORED):
        return current
    wanted = {"name": name, "folder": folder, "visibility": visibility}
    news: dict[str, Any] = {member: new for member, new in wanted.items() if new is not None}
    return _revised(
        current, change, file=replace(current.file, **news), announced=current.fingerprint
    )


def deleted(current: FileRecord | None, change: Change, purge_after_ms: int) -> FileRecord | None:
    """The row of a file in the trash; of one without bytes, gone for good."""
    if current is None or not _may(current, change, *DELETABLE):
        return current
    if current.status in ENDED:
        return _revised(current, change, status=Status.PURGED)
    return _revised(current, change, status=Status.DELETED, purge_after_ms=purge_after_ms)


def restored(current: FileRecord | None, change: Change) -> FileRecord | None:
    """The row of a file that was in the trash."""
    if current is None or not _may(current, change, Status.DELETED):
        return current
    return _revised(current, change, status=Status.STORED, purge_after_ms=None)


def purged(current: FileRecord | None, change: Change) -> FileRecord | None:
    """The row of a file that is gone for good, from the trash or at once."""
    if current is None or not _may(current, change, Status.DELETED, *DELETABLE):
        return current
    return _revised(current, change, status=Status.PURGED, purge_after_ms=None)


def _may(current: FileRecord, change: Change, *statuses: Status) -> bool:
    if change.id in current.changes or current.status not in statuses:
        return False
    return change.revision in (None, current.revision)


def _revised(current: FileRecord, change: Change, **members: Any) -> FileRecord:
    return replace(
        current,
        revision=current.revision + 1,
        changes=(*current.changes, change.id)[-CHANGES_KEPT:],
        version=current.version + 1,
        **members,
    )
