"""What the REST routes answer, as models: only to describe it in OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _View(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class SignedUpload(_View):
    method: str
    url: str
    headers: dict[str, str] = Field(description="Send exactly these")
    expires_at: str


class SignedPart(SignedUpload):
    number: int


class SignedParts(_View):
    parts: list[SignedPart]


class StoredPart(_View):
    number: int
    size: int
    checksum_sha256: str | None = None


class Parts(_View):
    size: int = Field(description="Bytes of every part but the last")
    count: int
    stored: list[StoredPart] = Field(description="What storage has; send the others")


class Progress(_View):
    phase: str = Field(description="accepted, ready, uploading, stored or recorded")
    bytes_sent: int
    bytes_total: int


class File(_View):
    file_id: str
    message_id: str
    name: str
    folder: str | None = None
    size: int
    content_type: str
    visibility: str
    status: str
    created_at: str
    stored_at: str | None = None
    checksum_sha256: str | None = None
    etag: str | None = None
    s3_key: str = Field(alias="s3Key")
    reason: str | None = None
    revision: int = Field(description="Its owner's changes so far; the ETag")
    deleted_until: str | None = Field(default=None, description="In the trash: when it is purged")
    download_url: str | None = None
    trace_id: str | None = None


class Upload(_View):
    file_id: str
    message_id: str | None = None
    state: str = Field(
        description="accepted, ready, stored, rejected, expired, cancelling or cancelled"
    )
    progress: Progress | None = None
    file: File | None = None
    upload: SignedUpload | None = None
    parts: Parts | None = None
    error: dict[str, Any] | None = None


class FilePage(_View):
    files: list[File]
    next_cursor: str | None


class Step(_View):
    step: str
    at: str
    topic: str
    partition: int
    offset: int
    worker: str = Field(description="Who put it on the topic")
    recorded_by: str = Field(description="Who wrote it into the row")
    trace_id: str


class Timeline(_View):
    file_id: str
    steps: list[Step]


class Download(_View):
    at: str
    by: str = Field(description="owner, public or share")
    share_id: str | None = None
    trace_id: str


class History(_View):
    file_id: str
    count: int
    downloads: list[Download] = Field(description="The last 100, newest first")


class Share(_View):
    share_id: str
    file_id: str
    url: str
    created_at: str
    expires_at: str | None = None
    has_password: bool
    downloads_max: int | None = None
    downloads: int
    state: str = Field(description="open, expired, used_up, revoked or file_gone")


class Shares(_View):
    shares: list[Share]


class Archive(_View):
    archive_id: str
    state: str = Field(description="building, ready or failed")
    expires_at: str = Field(description="Then it is removed")
    files: int | None = Field(default=None, description="How many it holds")
    size: int | None = Field(default=None, description="Of the zip, in bytes")
    left_out: int | None = Field(default=None, description="Files that went meanwhile")
    download_url: str | None = Field(default=None, description="Works for 15 minutes")
    error: dict[str, Any] | None = None


class Limits(_View):
    file_size_max: int
    concurrent_uploads: int
    requests_per_minute: int
    storage_quota: int
    multipart_threshold: int
    url_expires_seconds: int
    trash_seconds: int


class Use(_View):
    stored_bytes: int
    reserved_bytes: int
    concurrent_uploads: int


class Me(_View):
    user_id: str
    tier: str
    roles: list[str]
    limits: Limits
    use: Use
    premium: Limits
    token_expires_at: str


class Ticket(_View):
    ticket: str
    expires_in_seconds: int


class Problem(_View):
    """RFC 9457; further members depend on the code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retriable: bool
    trace_id: str | None = None
