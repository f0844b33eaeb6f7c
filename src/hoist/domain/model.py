"""What we talk about: a file's record, who owns it, and the states it moves through.

pending -> stored -> deleted | missing
pending -> expired | rejected
arrived                            the object came before its request; hidden until it is claimed
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

# Changing this namespace changes the id of every file: redeliveries would no longer be recognised.
HOIST_NAMESPACE = uuid.UUID("6f1d5f0e-52c8-5b0c-9c56-0f7d5b9a3a11")


class Visibility(StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"


class Status(StrEnum):
    ARRIVED = "arrived"
    PENDING = "pending"
    STORED = "stored"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DELETED = "deleted"
    MISSING = "missing"


def file_id(user_id: str, message_id: str) -> str:
    """The id of the file *user_id* announced as *message_id*: the same at every delivery."""
    return str(uuid.uuid5(HOIST_NAMESPACE, f"{user_id}/{message_id}"))


def s3_key(file_id: str) -> str:
    """Where the bytes live. Names chosen by users never enter keys."""
    return f"files/{file_id[:2]}/{file_id}"


def file_id_of_key(key: str) -> str | None:
    """The file an object key belongs to, or None when the key is not one of ours."""
    prefix, _, last = key.rpartition("/")
    return last if prefix == f"files/{last[:2]}" and len(last) == 36 else None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as the token says. ``expires_at`` is in seconds since the epoch."""

    user_id: str
    tier: str
    roles: tuple[str, ...]
    expires_at: int


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the client announces about a file. ``checksum_sha256`` is base64, as S3 wants it."""

    name: str
    size: int
    content_type: str
    visibility: Visibility = Visibility.PRIVATE
    checksum_sha256: str | None = None

    def fingerprint(self) -> str:
        """Equal for equal announcements: how a repeat is told from a conflict."""
        parts = (self.name, str(self.size), self.content_type, self.visibility.value)
        text = "\0".join((*parts, self.checksum_sha256 or ""))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What storage itself says about an object."""

    size: int
    etag: str
    stored_at_ms: int
    checksum_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One row of the store. ``version`` counts its writes and guards each of them."""

    user_id: str
    file_id: str
    message_id: str
    file: FileFacts
    status: Status
    created_at_ms: int
    settle_after_ms: int  # a pending row past this is the janitor's
    version: int = 1
    stored: StoredObject | None = None
    reason: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)

    @property
    def s3_key(self) -> str:
        return s3_key(self.file_id)

    @property
    def is_listed(self) -> bool:
        return self.status not in (Status.ARRIVED, Status.DELETED)


NOTHING_KNOWN = FileFacts(name="", size=0, content_type="")


def requested(current: FileRecord | None, new: FileRecord) -> FileRecord:
    """The row after a request arrived: first wins, and an object that was early is claimed."""
    if current is None:
        return new
    if current.status is not Status.ARRIVED:
        return current
    claimed = replace(new, version=current.version)
    assert current.stored is not None
    return replace(_settled(claimed, current.stored), version=current.version + 1)


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
    if current.status not in (Status.PENDING, Status.EXPIRED):
        return current
    return replace(_settled(current, found), version=current.version + 1)


def expired(current: FileRecord | None) -> FileRecord | None:
    """The row after its URL ran out unused."""
    if current is None or current.status is not Status.PENDING:
        return current
    return replace(
        current,
        status=Status.EXPIRED,
        reason="nothing was uploaded before the URL expired",
        version=current.version + 1,
    )


def _settled(record: FileRecord, found: StoredObject) -> FileRecord:
    wanted = record.file
    if found.size != wanted.size:
        reason = f"announced {wanted.size} bytes, storage has {found.size}"
    elif (
        wanted.checksum_sha256
        and found.checksum_sha256
        and wanted.checksum_sha256 != found.checksum_sha256
    ):
        reason = "the SHA-256 in storage is not the announced one"
    else:
        return replace(record, status=Status.STORED, stored=found)
    return replace(record, status=Status.REJECTED, stored=found, reason=reason)


def record_to_json(record: FileRecord) -> dict[str, Any]:
    """A plain, JSON-ready form of *record*; ``record_from_json`` is its inverse."""
    out: dict[str, Any] = {
        "userId": record.user_id,
        "fileId": record.file_id,
        "messageId": record.message_id,
        "name": record.file.name,
        "size": record.file.size,
        "contentType": record.file.content_type,
        "visibility": record.file.visibility.value,
        "checksumSha256": record.file.checksum_sha256,
        "status": record.status.value,
        "createdAt": record.created_at_ms,
        "settleAfter": record.settle_after_ms,
        "version": record.version,
        "reason": record.reason,
        "trace": dict(record.trace),
    }
    if record.stored:
        out["stored"] = {
            "size": record.stored.size,
            "etag": record.stored.etag,
            "storedAt": record.stored.stored_at_ms,
            "checksumSha256": record.stored.checksum_sha256,
        }
    return out


def record_from_json(data: Mapping[str, Any]) -> FileRecord:
    found = data.get("stored")
    return FileRecord(
        user_id=data["userId"],
        file_id=data["fileId"],
        message_id=data["messageId"],
        file=FileFacts(
            name=data["name"],
            size=int(data["size"]),
            content_type=data["contentType"],
            visibility=Visibility(data["visibility"]),
            checksum_sha256=data.get("checksumSha256"),
        ),
        status=Status(data["status"]),
        created_at_ms=int(data["createdAt"]),
        settle_after_ms=int(data["settleAfter"]),
        version=int(data["version"]),
        reason=data.get("reason"),
        trace=data.get("trace") or {},
        stored=StoredObject(
            size=int(found["size"]),
            etag=found["etag"],
            stored_at_ms=int(found["storedAt"]),
            checksum_sha256=found.get("checksumSha256"),
        )
        if found
        else None,
    )
