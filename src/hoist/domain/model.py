"""What we talk about: a file's record and who owns it. How it changes is in ``lifecycle``."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    CANCELLED = "cancelled"
    DELETED = "deleted"
    MISSING = "missing"


FILE_ID_LENGTH = 36
HIDDEN = (Status.ARRIVED, Status.CANCELLED, Status.DELETED)


def file_id(user_id: str, message_id: str) -> str:
    """The id of the file *user_id* announced as *message_id*: the same at every delivery."""
    return str(uuid.uuid5(HOIST_NAMESPACE, f"{user_id}/{message_id}"))


def s3_key(file_id: str) -> str:
    """Where the bytes live. Names chosen by users never enter keys."""
    return f"files/{file_id[:2]}/{file_id}"


def file_id_of_key(key: str) -> str | None:
    """The file an object key belongs to, or None when the key is not one of ours."""
    prefix, _, last = key.rpartition("/")
    return last if prefix == f"files/{last[:2]}" and len(last) == FILE_ID_LENGTH else None


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
    folder: str = ""
    part_checksums: bool = False

    def fingerprint(self) -> str:
        """Equal for equal announcements: how a repeat is told from a conflict."""
        parts = (self.name, str(self.size), self.content_type, self.visibility.value, self.folder)
        sums = (self.checksum_sha256 or "", str(self.part_checksums))
        text = "\0".join((*parts, *sums))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Multipart:
    """An upload in parts: storage's id of it, and the bytes of every part but the last."""

    upload_id: str
    part_size: int

    def count(self, size: int) -> int:
        return -(-size // self.part_size)

    def length(self, number: int, size: int) -> int:
        """The bytes of part *number* (from 1) of a file of *size* bytes."""
        return min(self.part_size, size - (number - 1) * self.part_size)


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
    multipart: Multipart | None = None

    @property
    def s3_key(self) -> str:
        return s3_key(self.file_id)

    @property
    def is_listed(self) -> bool:
        return self.status not in HIDDEN

    @property
    def part_count(self) -> int:
        return self.multipart.count(self.file.size) if self.multipart else 0

    @property
    def tier(self) -> str:
        return self.trace.get("tier", "")


NOTHING_KNOWN = FileFacts(name="", size=0, content_type="")


def record_to_json(record: FileRecord) -> dict[str, Any]:
    """A plain, JSON-ready form of *record*; ``record_from_json`` is its inverse."""
    out: dict[str, Any] = {
        "userId": record.user_id,
        "fileId": record.file_id,
        "messageId": record.message_id,
        "name": record.file.name,
        "folder": record.file.folder,
        "size": record.file.size,
        "contentType": record.file.content_type,
        "visibility": record.file.visibility.value,
        "checksumSha256": record.file.checksum_sha256,
        "partChecksums": record.file.part_checksums,
        "status": record.status.value,
        "createdAt": record.created_at_ms,
        "settleAfter": record.settle_after_ms,
        "version": record.version,
        "reason": record.reason,
        "trace": dict(record.trace),
    }
    if record.multipart:
        out["multipart"] = {
            "uploadId": record.multipart.upload_id,
            "partSize": record.multipart.part_size,
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
    found, parts = data.get("stored"), data.get("multipart")
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
            folder=data.get("folder", ""),
            part_checksums=data.get("partChecksums", False),
        ),
        status=Status(data["status"]),
        created_at_ms=int(data["createdAt"]),
        settle_after_ms=int(data["settleAfter"]),
        version=int(data["version"]),
        reason=data.get("reason"),
        trace=data.get("trace") or {},
        multipart=Multipart(parts["uploadId"], int(parts["partSize"])) if parts else None,
        stored=StoredObject(
            size=int(found["size"]),
            etag=found["etag"],
            stored_at_ms=int(found["storedAt"]),
            checksum_sha256=found.get("checksumSha256"),
        )
        if found
        else None,
    )
