"""Part of step 3: what one event does to one row."""

from __future__ import annotations

from dataclasses import replace

from hoist.domain import changes, lifecycle
from hoist.domain.metadata import (
    FileCancelled,
    FileChanged,
    FileDeleted,
    FileDownloaded,
    FileExpired,
    FileExtended,
    FileMissing,
    FilePurged,
    FileRequested,
    FileRestored,
    FileStored,
    MetadataEvent,
    OwnersChange,
    ShareCreated,
    ShareRevoked,
)
from hoist.domain.model import FileRecord, Status, StoredObject
from hoist.domain.ports import Key, Row
from hoist.domain.sharing import Download, Downloads, Share
from hoist.pipeline.delivery import Item


def effect(row: Row | None, key: Key, item: Item[MetadataEvent]) -> Row | None:
    """The row of *key* after the event; the same row when it changes nothing."""
    message = item.message
    if isinstance(message, FileDownloaded):
        return _downloaded(row, key, message, item)
    if isinstance(message, ShareCreated):
        return row or _share(message)
    if isinstance(message, ShareRevoked):
        return row.revoked() if isinstance(row, Share) else row
    assert row is None or isinstance(row, FileRecord)
    if isinstance(message, OwnersChange):
        return _change(row, message)
    return _life(row, message, item.trace_id)


def _life(
    row: FileRecord | None,
    message: FileRequested | FileStored | FileExtended | FileExpired | FileCancelled | FileMissing,
    trace_id: str,
) -> FileRecord | None:
    if isinstance(message, FileRequested):
        return lifecycle.requested(row, _pending(message, trace_id))
    if isinstance(message, FileStored):
        found = StoredObject(message.size, message.etag, message.stored_at, message.checksum_sha256)
        return lifecycle.stored(row, message.user_id, message.file_id, found)
    if isinstance(message, FileExtended):
        return lifecycle.extended(row, message.settle_after)
    if isinstance(message, FileExpired):
        return lifecycle.expired(row, message.at)
    if isinstance(message, FileCancelled):
        return lifecycle.cancelled(
            row, message.user_id, message.file_id, message.message_id, message.at
        )
    return lifecycle.missing(row)


def _change(row: FileRecord | None, message: OwnersChange) -> FileRecord | None:
    if isinstance(message, FileChanged):
        return changes.edited(
            row,
            message.change,
            name=message.name,
            folder=message.folder,
            visibility=message.visibility,
        )
    if isinstance(message, FileDeleted):
        return changes.deleted(row, message.change, message.purge_after)
    if isinstance(message, FileRestored):
        return changes.restored(row, message.change)
    assert isinstance(message, FilePurged)
    return changes.purged(row, message.change)


def _downloaded(
    row: Row | None, key: Key, message: FileDownloaded, item: Item[MetadataEvent]
) -> Row | None:
    if isinstance(row, Share):
        # Counted when the URL was given; this is for a store that is rebuilt.
        return replace(row, downloads=max(row.downloads, message.share_downloads))
    if key[1] != message.row_ids[0]:
        return row  # a link that is not known here
    history = row if isinstance(row, Downloads) else Downloads(message.user_id, message.file_id)
    download = Download(message.id, message.at, message.by, message.share_id, item.trace_id)
    place = (item.origin.partition, item.origin.offset) if item.journey.attempt == 1 else None
    return history.with_one(download, place)


def _share(message: ShareCreated) -> Share:
    return Share(
        user_id=message.user_id,
        share_id=message.share_id,
        file_id=message.file_id,
        created_at_ms=message.at,
        expires_at_ms=message.expires_at,
        password=message.password,
        downloads_max=message.downloads_max,
    )


def _pending(message: FileRequested, trace_id: str) -> FileRecord:
    return FileRecord(
        user_id=message.user_id,
        file_id=message.file_id,
        message_id=message.message_id,
        file=message.file.facts(),
        status=Status.PENDING,
        created_at_ms=message.requested_at,
        settle_after_ms=message.settle_after,
        trace={"id": trace_id, "tier": message.tier},
        multipart=message.multipart(),
    )
