"""Stored files that were never uploaded: rows put straight into the store, and taken out again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bench.target import Target
from emulation import provision
from hoist.adapters.sql_database import connect
from hoist.domain.account import Account
from hoist.domain.model import FileFacts, FileRecord, Status, StoredObject, file_id
from loadtest.people import User

BATCH, REMOVED_AT_ONCE = 200, 25
FIRST_MS = 1_700_000_000_000


@contextmanager
def files(target: Target, *counts: int) -> Iterator[list[User]]:
    """A user of so many stored files for each of *counts*; nothing is left of them afterwards."""
    users = [target.user(uploads=False) for _ in counts]
    try:
        for user, count in zip(users, counts, strict=True):
            _plant(target, user.user_id, count)
        yield users
    finally:
        for user, count in zip(users, counts, strict=True):
            _remove(target, user.user_id, count)


def _plant(target: Target, user_id: str, count: int) -> None:
    store = target.services.store
    rows = [_file(user_id, number) for number in range(count)]
    for first in range(0, count, BATCH):
        assert all(store.write([(row,) for row in rows[first : first + BATCH]]))
    store.write([(Account(user_id, _bytes(rows), version=1),)])


def _file(user_id: str, number: int) -> FileRecord:
    kind = "image/png" if number % 2 == 0 else "text/plain"
    size, created_ms = 1 + number * 7919 % 5000, FIRST_MS + number * 40_000 % 10**9
    return FileRecord(
        user_id=user_id,
        file_id=file_id(user_id, f"m-{number}"),
        message_id=f"m-{number}",
        file=FileFacts(f"file {number * 7919 % 100_000:05d}.bin", size, kind),
        status=Status.STORED,
        created_at_ms=created_ms,
        settle_after_ms=created_ms,
        stored=StoredObject(size, "etag", created_ms),
    )


def _remove(target: Target, user_id: str, count: int) -> None:
    """What was planted, and its bytes; what was uploaded meanwhile stays as the log has it."""
    rows = [_file(user_id, number) for number in range(count)]
    scheme, _, place = target.environment["HOIST_STORE"].partition("://")
    if scheme == "dynamodb":
        dynamodb: Any = provision.client("dynamodb", target.environment)
        for first in range(0, count, REMOVED_AT_ONCE):
            gone = [_deletion(row) for row in rows[first : first + REMOVED_AT_ONCE]]
            dynamodb.batch_write_item(RequestItems={place: gone})
    else:
        database = connect(target.environment["HOIST_STORE"]).database
        mark = "?" if scheme == "sqlite" else "%s"
        statement = f"DELETE FROM files WHERE user_id = {mark} AND file_id = {mark}"
        with database.atomic():
            for row in rows:
                database.execute_sql(statement, (user_id, row.file_id))
        database.close()
    store = target.services.store
    account = store.accounts([user_id])[user_id]
    used = account.used_bytes - _bytes(rows)
    assert store.write([(replace(account, used_bytes=used, version=account.version + 1),)]) == [
        True
    ]


def _deletion(row: FileRecord) -> dict[str, Any]:
    key = {"userId": {"S": row.user_id}, "fileId": {"S": row.file_id}}
    return {"DeleteRequest": {"Key": key}}


def _bytes(rows: Sequence[FileRecord]) -> int:
    return sum(row.file.size for row in rows)
