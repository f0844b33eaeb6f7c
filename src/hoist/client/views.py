"""What the service answers, as docs/protocol.md defines it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

OnEvent = Callable[[str, Mapping[str, Any], float], None]
"""Called as (name, payload, seconds since the epoch), from any of the client's threads."""

OnProgress = Callable[[int], None]
"""Called with the bytes sent so far; a retry starts from 0 again."""


class File(TypedDict):
    """A file; ``downloadUrl`` is there once ``status`` is ``stored``."""

    fileId: str
    messageId: str
    name: str
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
    downloadUrl: NotRequired[str]
    traceId: NotRequired[str]


class SignedRequest(TypedDict):
    """Send exactly this, with the bytes as its body."""

    method: str
    url: str
    headers: dict[str, str]
    expiresAt: str


class UploadView(TypedDict):
    """``state`` is accepted, ready, stored, rejected or expired."""

    fileId: str
    state: str
    messageId: NotRequired[str]
    file: NotRequired[File]
    upload: NotRequired[SignedRequest]
    error: NotRequired[dict[str, Any]]


class FilePage(TypedDict):
    files: list[File]
    nextCursor: str | None


class Limits(TypedDict):
    fileSizeMax: int
    urlExpiresSeconds: int


class Premium(TypedDict):
    fileSizeMax: int


class Me(TypedDict):
    userId: str
    tier: str
    roles: list[str]
    limits: Limits
    premium: Premium
    tokenExpiresAt: str
