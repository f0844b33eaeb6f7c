"""How a file's row changes with what happens to it. Every function may be called again.

pending -> stored -> missing | purged
           stored <-> deleted -> purged    its owner's changes: ``changes``
pending -> expired -> pending        asked for again, under the same messageId; missing too
pending -> rejected | cancelled
arrived                              the object came before its request; hidden until it is claimed
"""

from __future__ import annotations

from dataclasses import replace

from hoist.domain.model import NOTHING_KNOWN, FileRecord, Status, StoredObject


def requested(current: FileRecord | None, new: FileRecord) -> FileRecord:
    """The row after a URL was granted.

    First wins; an early object is claimed; an expired row begins again, if this grant is later
    than the one that expired; a row cancelled in the queue only learns what it was about. Any
    other row remembers its latest grant, so that the books can tell that its reservation is over.
    """
    if current is None:
        return new
    next_one = replace(
        new,
        version=current.version + 1,
        revision=current.revision,
        changes=current.changes,
        steps=current.steps,
        unknown=current.unknown,
    )
    if current.status is Status.ARRIVED and current.stored:
        return settled(next_one, current.stored)
    is_later = new.settle_after_ms > current.settle_after_ms
    if current.status is Status.MISSING and is_later:
        # It was a file, and may have been renamed or made private since it was announced.
        next_one = replace(next_one, file=current.file, announced=current.announced)
    if current.status in (Status.EXPIRED, Status.MISSING) and is_later:
        return replace(next_one, created_at_ms=current.created_at_ms)
    if current.status is Status.CANCELLED and current.file == NOTHING_KNOWN:
        return replace(next_one, status=Status.CANCELLED, reason=current.reason)
    return granted_until(current, new.settle_after_ms)


def stored(
    current: FileRecord | None, user_id: str, file_id: str, found: StoredObject
) -> FileRecord:
    """The row after storage reported the object: ``stored``, or ``rejected`` when it differs."""
    if current is None:
        return FileRecord(
            user_id=user_id,
            file_id=file_id,
            message_id="",
            file=NOTHING_KNOWN,
            status=Status.ARRIVED,
            created_at_ms=found.stored_at_ms,
            settle_after_ms=found.stored_at_ms,
            stored=found,
        )
    # An expired row whose bytes came after all is a file: the URL was used in time.
    if current.status not in (Status.PENDING, Status.EXPIRED, Status.MISSING):
        return current
    return replace(settled(current, found), version=current.version + 1)


def extended(current: FileRecord | None, settle_after_ms: int) -> FileRecord | None:
    """The row after fresh signatures were given: it is settled later."""
    if current is None or current.status is not Status.PENDING:
        return current
    return granted_until(current, settle_after_ms)


def granted_until(current: FileRecord, settle_after_ms: int) -> FileRecord:
    if settle_after_ms <= current.settle_after_ms:
        return current
    return replace(current, settle_after_ms=settle_after_ms, version=current.version + 1)


def expired(current: FileRecord | None, at_ms: int) -> FileRecord | None:
    """The row after its URL ran out unused; one that was extended meanwhile stays pending."""
    if current is None or current.status is not Status.PENDING or at_ms < current.settle_after_ms:
        return current
    reason = "nothing was uploaded before the URL expired"
    if current.multipart:
        reason = "not all parts were uploaded before their URLs expired"
    return replace(current, status=Status.EXPIRED, reason=reason, version=current.version + 1)


def cancelled(
    current: FileRecord | None, user_id: str, file_id: str, message_id: str, at_ms: int
) -> FileRecord:
    """The row after its owner wants it no more: an unfinished one is cancelled, a file purged."""
    reason = "cancelled by its owner"
    if current is None:
        return FileRecord(
            user_id=user_id,
            file_id=file_id,
            message_id=message_id,
            file=NOTHING_KNOWN,
            status=Status.CANCELLED,
            created_at_ms=at_ms,
            settle_after_ms=at_ms,
            reason=reason,
        )
    if current.status in (Status.CANCELLED, Status.PURGED):
        return current
    is_file = current.status in (Status.STORED, Status.MISSING, Status.DELETED)
    status = Status.PURGED if is_file else Status.CANCELLED
    return replace(
        current,
        status=status,
        reason=reason,
        purge_after_ms=None,
        version=current.version + 1,
    )


def missing(current: FileRecord | None) -> FileRecord | None:
    """The row after storage was found to have lost its object."""
    if current is None or current.status is not Status.STORED:
        return current
    reason = "storage has no such object any more"
    return replace(current, status=Status.MISSING, reason=reason, version=current.version + 1)


def rejected(current: FileRecord, reason: str) -> FileRecord:
    return replace(current, status=Status.REJECTED, reason=reason, version=current.version + 1)


def settled(record: FileRecord, found: StoredObject) -> FileRecord:
    """*record* with storage's word: ``stored`` when it is what was announced."""
    wanted, checksum = record.file, found.checksum_sha256
    if found.size != wanted.size:
        reason = f"announced {wanted.size} bytes, storage has {found.size}"
    # Of an object in parts, storage keeps a checksum of checksums ("…-38"): the parts were judged.
    elif (
        wanted.checksum_sha256
        and checksum
        and "-" not in checksum
        and wanted.checksum_sha256 != checksum
    ):
        reason = "the SHA-256 in storage is not the announced one"
    else:
        return replace(record, status=Status.STORED, stored=found)
    return replace(record, status=Status.REJECTED, stored=found, reason=reason)
