"""How rows look in the DynamoDB table: keys, what indexes need, and the row as one document.

Sparse   ``createdSort`` is there while a record is listed, ``pendingShard`` while a file is
         pending or an account has reservations
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from hoist.domain.account import Account, account_from_json, account_to_json
from hoist.domain.model import FileRecord, Status, record_from_json, record_to_json
from hoist.domain.ports import Key, Row

SHARDS = 16


def key(key: Key) -> dict[str, Any]:
    return {"userId": {"S": key[0]}, "fileId": {"S": key[1]}}


def created_sort(record: FileRecord) -> str:
    return f"{record.created_at_ms:015d}#{record.file_id}"


def account_id(user_id: str) -> str:
    """In the place of a file id: each user's own, so that no index has all accounts in one key."""
    return f"account#{user_id}"


def shard(user_id: str) -> str:
    """Spreads what is pending over the index: one key alone takes 1,000 writes a second."""
    return str(zlib.crc32(user_id.encode()) % SHARDS)


def item(row: Row) -> dict[str, Any]:
    """Keys and what indexes and conditions need as attributes; the row itself as one document.

    One document keeps writing cheap and exact; nothing queries inside it.
    """
    version = {"version": {"N": str(row.version)}}
    if isinstance(row, Account):
        item = key((row.user_id, account_id(row.user_id))) | version
        item["account"] = {"S": json.dumps(account_to_json(row))}
        if row.settle_after_ms is not None:
            item["settleAfter"] = {"N": str(row.settle_after_ms)}
            item["pendingShard"] = {"S": shard(row.user_id)}
        return item
    item = key((row.user_id, row.file_id)) | version
    item["settleAfter"] = {"N": str(row.settle_after_ms)}
    item["record"] = {"S": json.dumps(record_to_json(row))}
    if row.is_listed:
        item["createdSort"] = {"S": created_sort(row)}
    if row.status is Status.PENDING:
        item["pendingShard"] = {"S": shard(row.user_id)}
    return item


def row(item: dict[str, Any]) -> Row:
    if "account" in item:
        return account_from_json(json.loads(item["account"]["S"]))
    return record_from_json(json.loads(item["record"]["S"]))
