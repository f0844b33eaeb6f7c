"""The events of ``hoist.metadata``: all that ever happened to files. The store is their view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from hoist.domain.changes import Change
from hoist.domain.errors import Malformed
from hoist.domain.messages import AtMs, DescribedFile, Size, Versioned, Wire, ours
from hoist.domain.model import Multipart, Visibility
from hoist.domain.sharing import downloads_row_id, share_row_id
from hoist.domain.versions import NewerVersion


class Parts(Wire):
    """Storage's id of an upload in parts, and the bytes of each but the last."""

    upload_id: str
    part_size: int


class Accepted(Wire):
    """Where and when a request went on its lane, and which gateway put it there."""

    topic: str
    partition: int
    offset: int
    at: AtMs
    worker: str


class _MetadataEvent(Versioned):
    """An event of one file. Topic ``hoist.metadata``, key userId."""

    version: Literal[1] = 1
    user_id: str
    file_id: str

    @property
    def row_ids(self) -> tuple[str, ...]:
        """The rows that it is about."""
        return (self.file_id,)


class FileRequested(_MetadataEvent):
    """A URL was granted."""

    type: Literal["file.requested"] = "file.requested"
    message_id: str
    connection_id: str | None = None
    file: DescribedFile
    tier: str
    requested_at: AtMs
    settle_after: AtMs
    parts: Parts | None = None
    accepted: Accepted | None = None

    def multipart(self) -> Multipart | None:
        return Multipart(self.parts.upload_id, self.parts.part_size) if self.parts else None


class FileExtended(_MetadataEvent):
    """Fresh signatures were given: the upload may take longer."""

    type: Literal["file.extended"] = "file.extended"
    settle_after: AtMs


class FileStored(_MetadataEvent):
    """Storage holds the object."""

    type: Literal["file.stored"] = "file.stored"
    size: Size
    etag: str
    stored_at: AtMs
    checksum_sha256: str | None = None


class FileExpired(_MetadataEvent):
    """The URLs ran out, and at that time storage had nothing."""

    type: Literal["file.expired"] = "file.expired"
    at: AtMs


class FileCancelled(_MetadataEvent):
    """Its owner wants it no more, in whatever state it is."""

    type: Literal["file.cancelled"] = "file.cancelled"
    message_id: str
    at: AtMs


class FileMissing(_MetadataEvent):
    """Storage has lost the object of a stored file."""

    type: Literal["file.missing"] = "file.missing"


class _OwnersChange(_MetadataEvent):
    """A change; with ``revision`` it counts only if the row is still of that one."""

    change_id: str
    revision: int | None = None
    at: AtMs

    @property
    def change(self) -> Change:
        return Change(self.change_id, self.revision)


class FileChanged(_OwnersChange):
    """Another name, folder or visibility; absent members stay."""

    type: Literal["file.changed"] = "file.changed"
    name: str | None = None
    folder: str | None = None
    visibility: Visibility | None = None


class FileDeleted(_OwnersChange):
    """Into the trash, until ``purge_after``."""

    type: Literal["file.deleted"] = "file.deleted"
    purge_after: AtMs


class FileRestored(_OwnersChange):
    """Back from the trash."""

    type: Literal["file.restored"] = "file.restored"


class FilePurged(_OwnersChange):
    """Gone for good."""

    type: Literal["file.purged"] = "file.purged"


class FileDownloaded(_MetadataEvent):
    """A download URL was given; through a link, it was its ``share_downloads``-th."""

    type: Literal["file.downloaded"] = "file.downloaded"
    id: str
    at: AtMs
    by: Literal["owner", "public", "share"]
    share_id: str | None = None
    share_downloads: int = 0

    @property
    def row_ids(self) -> tuple[str, ...]:
        shares = (share_row_id(self.share_id),) if self.share_id else ()
        return (downloads_row_id(self.file_id), *shares)


class ShareCreated(_MetadataEvent):
    """A link was made. ``password`` is salted and hashed."""

    type: Literal["share.created"] = "share.created"
    share_id: str
    at: AtMs
    expires_at: AtMs | None = None
    password: str | None = None
    downloads_max: int | None = None

    @property
    def row_ids(self) -> tuple[str, ...]:
        return (share_row_id(self.share_id),)


class ShareRevoked(_MetadataEvent):
    """A link works no more."""

    type: Literal["share.revoked"] = "share.revoked"
    share_id: str
    at: AtMs

    @property
    def row_ids(self) -> tuple[str, ...]:
        return (share_row_id(self.share_id),)


OwnersChange = FileChanged | FileDeleted | FileRestored | FilePurged
MetadataEvent = (
    FileRequested
    | FileExtended
    | FileStored
    | FileExpired
    | FileCancelled
    | FileMissing
    | OwnersChange
    | FileDownloaded
    | ShareCreated
    | ShareRevoked
)
MODELS: Mapping[str, type[MetadataEvent]] = {
    model.model_fields["type"].default: model for model in get_args(MetadataEvent)
}
"""By type; each has versions of its own."""


def metadata_event_from_json(raw: bytes | None) -> MetadataEvent:
    """Raises ``Malformed``; ``NewerVersion`` for a type that is not known here."""
    event: MetadataEvent = ours(_read, raw)
    return event


def _read(data: Any) -> MetadataEvent:
    name = data.get("type") if isinstance(data, dict) else None
    if not isinstance(name, str):
        raise Malformed("type: an event says what it is")
    if name not in MODELS:
        raise NewerVersion(f"type: this release knows no {name[:100]!r}")
    return MODELS[name].read(data)
