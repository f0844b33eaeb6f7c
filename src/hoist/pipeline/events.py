"""What the steps say, to clients and to the log: one function per shape, so all say it alike."""

from __future__ import annotations

from typing import Any

from hoist import telemetry
from hoist.domain.archives import LIVES_SECONDS, ArchiveReport, ArchiveRequested
from hoist.domain.errors import HoistError
from hoist.domain.messages import Envelope, iso
from hoist.domain.metadata import FileStored, MetadataEvent
from hoist.domain.model import FileRecord, StoredObject
from hoist.domain.ports import Message, Received, SignedRequest
from hoist.domain.volatile import Event
from hoist.telemetry import trace_headers

WORKER = "hoist-worker"


def trace_members(trace_id: str) -> dict[str, str]:
    """The trace in both forms, as members of a frame."""
    headers = trace_headers(trace_id)
    return {"traceparent": headers["traceparent"], "xAmznTraceId": headers["X-Amzn-Trace-Id"]}


def message(
    topic: str, content: Envelope | MetadataEvent | ArchiveRequested, trace_id: str
) -> Message:
    """*content* for *topic*, keyed by its user; headers say the trace, in both forms, and who."""
    headers = [(name, value.encode()) for name, value in trace_headers(trace_id).items()]
    headers.append((WORKER, telemetry.worker().encode()))
    return Message(topic, content.user_id, content.to_json(), headers)


def worker_of(record: Received) -> str:
    """Who put *record* on its topic; empty when it does not say."""
    return dict(record.headers).get(WORKER, b"").decode("utf-8", "replace")


def stored(record: FileRecord, found: StoredObject) -> FileStored:
    """Storage's word about *record*, for whoever asked storage itself."""
    return FileStored(
        user_id=record.user_id,
        file_id=record.file_id,
        size=found.size,
        etag=found.etag,
        stored_at=found.stored_at_ms,
        checksum_sha256=found.checksum_sha256,
    )


def event(
    name: str,
    user_id: str,
    /,
    *,
    at_ms: int,
    trace_id: str,
    connection_id: str | None = None,
    is_kept: bool = True,
    **members: Any,
) -> Event:
    """An event for *user_id*; with *connection_id* only that socket hears it live."""
    body = {"event": name, "at": iso(at_ms), **members, **trace_members(trace_id)}
    return Event(user_id, body, connection_id, is_kept)


def error_view(error: HoistError) -> dict[str, Any]:
    """*error* as a JSON object, the same in frames, problems and kept answers."""
    return {
        "code": error.code,
        "detail": str(error),
        "status": error.status,
        "retriable": error.retriable,
        **error.details(),
    }


def stored_refusal(record: FileRecord) -> dict[str, Any]:
    """Why storage's object was not what *record* announced."""
    return {
        "code": "content_differs",
        "detail": record.reason or "what was stored is not what was announced",
        "status": 409,
        "retriable": False,
    }


def signed_view(signed: SignedRequest) -> dict[str, Any]:
    return {
        "method": signed.method,
        "url": signed.url,
        "headers": dict(signed.headers),
        "expiresAt": iso(signed.expires_at_ms),
    }


def file_view(record: FileRecord, download_url: str | None = None) -> dict[str, Any]:
    """A file as clients see it; members that do not apply are absent."""
    found = record.stored
    members = {
        "fileId": record.file_id,
        "messageId": record.message_id,
        "name": record.file.name,
        "folder": record.file.folder or None,
        "size": record.file.size,
        "contentType": record.file.content_type,
        "visibility": record.file.visibility.value,
        "status": record.status.value,
        "createdAt": iso(record.created_at_ms),
        "storedAt": iso(found.stored_at_ms) if found else None,
        "checksumSha256": record.file.checksum_sha256,
        "etag": found.etag if found else None,
        "s3Key": record.s3_key,
        "reason": record.reason,
        "downloadUrl": download_url,
        "revision": record.revision,
        "deletedUntil": iso(record.purge_after_ms) if record.purge_after_ms else None,
        "traceId": record.trace.get("id"),
    }
    return {name: value for name, value in members.items() if value is not None}


def archive_view(archive_id: str, asked_ms: int, report: ArchiveReport | None) -> dict[str, Any]:
    """An archive as its user sees it, without a download URL."""
    view = {
        "archiveId": archive_id,
        "state": "building",
        "expiresAt": iso(asked_ms + LIVES_SECONDS * 1000),
    }
    return view | (report.model_dump(by_alias=True, exclude_none=True) if report else {})
