"""Rows as JSON: how stores, the cache and the answers keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hoist.domain.account import Account, account_from_json, account_to_json
from hoist.domain.model import (
    FileFacts,
    FileRecord,
    Multipart,
    Status,
    Step,
    StoredObject,
    Visibility,
)
from hoist.domain.ports import Row
from hoist.domain.sharing import (
    Downloads,
    Share,
    downloads_from_json,
    downloads_to_json,
    share_from_json,
    share_to_json,
)
from hoist.domain.versions import members, unknown

_NAMES = """
userId fileId messageId name folder size contentType visibility checksumSha256 partChecksums status
createdAt settleAfter version reason trace revision changes announced purgeAfter multipart stored
"""
NAMES = frozenset(_NAMES.split())  # of a file as JSON; any other member is of a newer release


def record_to_json(record: FileRecord) -> dict[str, Any]:
    """A plain, JSON-ready form of *record* without its steps."""
    out: dict[str, Any] = {
        **record.unknown,
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
    if record.revision:
        out |= {"revision": record.revision, "changes": list(record.changes)}
        out |= {"announced": record.announced, "purgeAfter": record.purge_after_ms}
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


def record_from_json(data: Mapping[str, Any], steps: Iterable[Step] = ()) -> FileRecord:
    """The record that ``record_to_json`` was given, with *steps*."""
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
        revision=int(data.get("revision", 0)),
        changes=tuple(data.get("changes", ())),
        announced=data.get("announced"),
        purge_after_ms=data.get("purgeAfter"),
        steps=tuple(steps),
        stored=StoredObject(
            size=int(found["size"]),
            etag=found["etag"],
            stored_at_ms=int(found["storedAt"]),
            checksum_sha256=found.get("checksumSha256"),
        )
        if found
        else None,
        unknown=unknown(data, NAMES),
    )


def steps_to_json(steps: Iterable[Step]) -> list[list[Any]]:
    """Each step as a list, in the order of its members."""
    return [list(members(step).values()) for step in steps]


def steps_from_json(data: Iterable[list[Any]]) -> tuple[Step, ...]:
    return tuple(Step(*told) for told in data)


def row_to_json(row: Row) -> tuple[str, dict[str, Any]]:
    """The row's kind (file, account, share or downloads), and the row as JSON-ready members."""
    if isinstance(row, Account):
        return "account", account_to_json(row)
    if isinstance(row, Share):
        return "share", share_to_json(row)
    if isinstance(row, Downloads):
        return "downloads", downloads_to_json(row)
    return "file", record_to_json(row)


def row_from_json(kind: str, data: Mapping[str, Any], steps: Iterable[Step] = ()) -> Row:
    """The row that ``row_to_json`` was given."""
    if kind == "account":
        return account_from_json(data)
    if kind == "share":
        return share_from_json(data)
    if kind == "downloads":
        return downloads_from_json(data)
    return record_from_json(data, steps)
