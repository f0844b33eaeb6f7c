"""What we talk about: a file's record and who owns it. How it changes is in ``lifecycle``."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
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
    PURGED = "purged"
    MISSING = "missing"


FILE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
GONE = (Status.CANCELLED, Status.DELETED, Status.PURGED)  # its owner wants it no more
HIDDEN = (Status.ARRIVED, *GONE)
KEPT = (Status.STORED, Status.DELETED)  # storage holds their bytes
UNWANTED = (Status.CANCELLED, Status.PURGED, Status.REJECTED)  # storage keeps nothing for them
JANITORS = "purge-"  # begins the id of a change that no owner asked for
CHANGES_KEPT, STEPS_KEPT = 16, 50


@lru_cache(10_000)  # a request is named several times on its way through a process
def file_id(user_id: str, message_id: str) -> str:
    """The id of the file *user_id* announced as *message_id*: the same at every delivery."""
    return str(uuid.uuid5(HOIST_NAMESPACE, f"{user_id}/{message_id}"))


def s3_key(file_id: str) -> str:
    """Where the bytes live. Names chosen by users never enter keys."""
    return f"files/{file_id[:2]}/{file_id}"


def file_id_of_key(key: str) -> str | None:
    """The file an object key belongs to, or None when the key is not one of ours."""
    prefix, _, last = key.rpartition("/")
    return last if prefix == f"files/{last[:2]}" and is_file_id(last) else None


def is_file_id(text: str) -> bool:
    """Whether *text* could name a file; anything else, from a stranger, is not even looked up."""
    return FILE_ID.fullmatch(text) is not None


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
class Step:
    """Something that happened to a file: where the log has it, who said it and who recorded it."""

    name: str
    at_ms: int
    topic: str
    partition: int
    offset: int
    worker: str
    recorded_by: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One row of the store. ``version`` counts its writes and guards each of them.

    ``revision`` counts its owner's changes, ``changes`` are the ids of the last ones, and
    ``announced`` is the fingerprint of what was announced, once a change made the file another.
    ``unknown`` are the members that a newer release gave it. Lists leave ``steps`` out.
    """

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
    revision: int = 0
    changes: tuple[str, ...] = ()
    announced: str | None = None
    purge_after_ms: int | None = None
    steps: tuple[Step, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row_id(self) -> str:
        return self.file_id

    @property
    def due_at_ms(self) -> int | None:
        """When the janitor looks at it; None when there is nothing to settle or to purge."""
        if self.status is Status.PENDING:
            return self.settle_after_ms
        return self.purge_after_ms if self.status is Status.DELETED else None

    @property
    def fingerprint(self) -> str:
        """Of the announcement, whatever the file was renamed to since."""
        return self.announced or self.file.fingerprint()

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
