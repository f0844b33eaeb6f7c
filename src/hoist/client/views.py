"""What the service answers, as docs/protocol.md defines it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

OnEvent = Callable[[str, Mapping[str, Any], float], None]
"""Called as (name, payload, seconds since the epoch), from any of the client's threads."""

OnProgress = Callable[[int], None]
"""Called with the bytes done so far, parts of an earlier run included, and with all at the end.

What has to be sent again is taken back first, so the number may fall.
"""


class File(TypedDict):
    """A file; ``downloadUrl`` is there once ``status`` is ``stored``."""

    fileId: str
    messageId: str
    name: str
    folder: NotRequired[str]
    size: int
    contentType: str
    visibility: str
    status: str
    createdAt: str
    storedAt: NotRequired[str]
    checksumSha256: NotRequired[str]
    etag: NotRequired[str]
    s3Key: NotRequired[str]
    reason: NotRequired[str]
    revision: NotRequired[int]
    deletedUntil: NotRequired[str]
    downloadUrl: NotRequired[str]
    traceId: NotRequired[str]


class SignedRequest(TypedDict):
    """Send exactly this, with the bytes as its body."""

    method: str
    url: str
    headers: dict[str, str]
    expiresAt: str


class StoredPart(TypedDict):
    """A part that storage has."""

    number: int
    size: int
    checksumSha256: NotRequired[str]


class SignedPart(SignedRequest):
    """Send exactly this, with the bytes of part ``number`` as its body."""

    number: int


class WantedPart(TypedDict):
    """A part to sign."""

    number: int
    checksumSha256: NotRequired[str]


class Parts(TypedDict):
    """Every part has ``size`` bytes but the last; ``stored`` are there already."""

    size: int
    count: int
    stored: list[StoredPart]


class Progress(TypedDict):
    """``phase`` is accepted, ready, uploading, stored or recorded."""

    phase: str
    bytesSent: int
    bytesTotal: int


class UploadView(TypedDict):
    """``state`` is accepted, ready, stored, rejected, expired or cancelled."""

    fileId: str
    state: str
    messageId: NotRequired[str]
    progress: NotRequired[Progress]
    file: NotRequired[File]
    upload: NotRequired[SignedRequest]
    parts: NotRequired[Parts]
    error: NotRequired[dict[str, Any]]


class FilePage(TypedDict):
    files: list[File]
    nextCursor: str | None


class Limits(TypedDict):
    """What a tier may do; sizes in bytes."""

    fileSizeMax: int
    concurrentUploads: NotRequired[int]
    requestsPerMinute: NotRequired[int]
    storageQuota: NotRequired[int]
    multipartThreshold: NotRequired[int]
    urlExpiresSeconds: int


class Use(TypedDict):
    """How much of it is in use."""

    storedBytes: int
    reservedBytes: int
    concurrentUploads: int


class Me(TypedDict):
    userId: str
    tier: str
    roles: list[str]
    limits: Limits
    use: NotRequired[Use]
    premium: Limits
    tokenExpiresAt: str


class Share(TypedDict):
    """A link to a file; ``state`` is open, expired, used_up, revoked or file_gone."""

    shareId: str
    fileId: str
    url: str
    createdAt: str
    expiresAt: NotRequired[str | None]
    hasPassword: bool
    downloadsMax: NotRequired[int | None]
    downloads: int
    state: str


class Step(TypedDict):
    """``worker`` put it on the topic, ``recordedBy`` wrote it into the file's row."""

    step: str
    at: str
    topic: NotRequired[str]
    partition: NotRequired[int]
    offset: NotRequired[int]
    worker: NotRequired[str]
    recordedBy: NotRequired[str]
    traceId: NotRequired[str]


class Timeline(TypedDict):
    """What happened to a file, oldest first."""

    fileId: str
    steps: list[Step]


class Download(TypedDict):
    """A download URL that was given; ``by`` is owner, public or share."""

    at: str
    by: str
    shareId: NotRequired[str | None]
    traceId: NotRequired[str]


class Downloads(TypedDict):
    """How often a download URL was given, and the last ones, newest first."""

    fileId: str
    count: int
    downloads: list[Download]


class Archive(TypedDict):
    """Many files as one zip; ``state`` is building, ready or failed."""

    archiveId: str
    state: str
    files: NotRequired[int]
    size: NotRequired[int]
    downloadUrl: NotRequired[str]
    error: NotRequired[dict[str, Any] | None]
