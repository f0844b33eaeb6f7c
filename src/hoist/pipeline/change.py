"""Part of step 6: an owner changes a file, and is told what came of it.

PATCH, DELETE, restore -> ChangeFile -> hoist.metadata (file.changed, deleted, restored, purged),
key userId; the metadata handler decides in the log's order who was first, the row tells it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from hoist.domain.changes import DELETABLE
from hoist.domain.errors import NotFound, NotStored, PreconditionFailed
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import FileChanged, FileDeleted, FilePurged, FileRestored, OwnersChange
from hoist.domain.model import FileRecord, Status, Visibility
from hoist.domain.policy import Policy
from hoist.domain.ports import Clock, MessageLog, MetadataStore
from hoist.domain.volatile import ListCache
from hoist.pipeline import events
from hoist.pipeline.finding import find_file
from hoist.pipeline.waiting import Sleep, looks


@dataclass(frozen=True, slots=True)
class Edit:
    """Another name, folder or visibility; None leaves it alone."""

    name: str | None = None
    folder: str | None = None
    visibility: Visibility | None = None

    allowed = (Status.STORED,)


@dataclass(frozen=True, slots=True)
class Delete:
    """Into the trash; or gone for good, also from there."""

    is_permanent: bool = False

    @property
    def allowed(self) -> tuple[Status, ...]:
        return (*DELETABLE, Status.DELETED) if self.is_permanent else DELETABLE


@dataclass(frozen=True, slots=True)
class Restore:
    """Out of the trash."""

    allowed = (Status.DELETED,)


Wish = Edit | Delete | Restore


@dataclass(frozen=True)
class ChangeFile:
    store: MetadataStore
    log: MessageLog
    cache: ListCache
    policy: Callable[[], Policy]
    clock: Clock
    sleep: Sleep
    topic_prefix: str = ""

    def __call__(
        self,
        user_id: str,
        file_id: str,
        wish: Wish,
        trace_id: str,
        *,
        if_revision: int | None = None,
        key: str | None = None,
    ) -> FileRecord | None:
        """The row once the change is in force, in lists too; None when that takes too long.

        With *if_revision* it counts only for a row of that one. Asked again with the same *key* it
        is the same change. Raises ``NotFound`` (for another user's too), ``NotStored``,
        ``PreconditionFailed`` or ``Unavailable``.
        """
        change_id = f"key-{key}" if key else secrets.token_hex(8)
        row = find_file(self.store, user_id, file_id)
        if row is None or change_id not in row.changes:
            row = self._may_change(row, wish)
            if if_revision not in (None, row.revision):
                raise PreconditionFailed(row.revision)
            event = self._event(row, wish, change_id, if_revision)
            topic = self.topic_prefix + METADATA_TOPIC
            self.log.append([events.message(topic, event, trace_id)])
            if not (row := self._applied(user_id, file_id, change_id, wish, if_revision)):
                return None
        # The handler does so as well, after its whole batch: whoever changed something sees it now.
        self.cache.invalidate([user_id])
        return row

    def _applied(
        self, user_id: str, file_id: str, change_id: str, wish: Wish, if_revision: int | None
    ) -> FileRecord | None:
        """The row with the change; None when it is not there after a while."""
        for _ in looks(self.sleep):
            row = find_file(self.store, user_id, file_id)
            if row and change_id in row.changes:
                return row
            row = self._may_change(row, wish)  # somebody else may have been first
            if if_revision not in (None, row.revision):
                raise PreconditionFailed(row.revision)
        return None

    def _may_change(self, row: FileRecord | None, wish: Wish) -> FileRecord:
        if row is None or (row.status not in wish.allowed and not row.is_listed):
            raise NotFound("no such file")
        if row.status not in wish.allowed:
            raise NotStored(_why_not(row, wish))
        return row

    def _event(
        self, row: FileRecord, wish: Wish, change_id: str, revision: int | None
    ) -> OwnersChange:
        members = {
            "user_id": row.user_id,
            "file_id": row.file_id,
            "change_id": change_id,
            "revision": revision,
            "at": self.clock(),
        }
        if isinstance(wish, Edit):
            return FileChanged(
                **members, name=wish.name, folder=wish.folder, visibility=wish.visibility
            )
        if isinstance(wish, Restore):
            return FileRestored(**members)
        if wish.is_permanent:
            return FilePurged(**members)
        kept_ms = self.policy().tier(row.tier).trash_seconds * 1000
        return FileDeleted(**members, purge_after=self.clock() + kept_ms)


def _why_not(row: FileRecord, wish: Wish) -> str:
    if isinstance(wish, Restore):
        return "the file is not in the trash"
    if row.status is Status.PENDING:
        return "the file is not stored yet; to give it up: DELETE /uploads/{id}"
    return f"the file is {row.status.value}: only a stored one can be changed"
