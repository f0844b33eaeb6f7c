"""File records in DynamoDB.

IAM      dynamodb:BatchGetItem, TransactWriteItems, PutItem, Query, Scan on the table and indexes
Needs    the table and indexes of emulation/provision.py: userId + fileId, local index by-created,
         global indexes by-file and pending, both keys only
Accounts are rows of the same table, so that a transaction can settle a file and its books
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hoist.adapters import dynamodb_items as items
from hoist.adapters.aws import temporary_failures
from hoist.domain.account import Account
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileRecord
from hoist.domain.ports import Change, Key, Overdue, Page, Row

BATCH_MAX = 100  # of BatchGetItem, and what a change may have
TRANSACTION_ROWS = 25  # together: larger ones keep everybody else waiting for longer
ATTEMPTS = 6
LASTING = ("ValidationError", "ItemCollectionSizeLimitExceeded")  # no later attempt fits
WHAT = "the metadata store"


class DynamoMetadata:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        rows = map(items.row, self._get(keys))
        return {(row.user_id, row.file_id): row for row in rows if isinstance(row, FileRecord)}

    def accounts(self, user_ids: Sequence[str]) -> dict[str, Account]:
        rows = map(
            items.row, self._get([(user_id, items.account_id(user_id)) for user_id in user_ids])
        )
        found = {row.user_id: row for row in rows if isinstance(row, Account)}
        return {user_id: found.get(user_id) or Account(user_id) for user_id in user_ids}

    def _get(self, keys: Sequence[Key]) -> Iterator[dict[str, Any]]:
        for part in _parts(list(dict.fromkeys(keys))):
            wanted = [items.key(key) for key in part]
            for attempt in range(ATTEMPTS):
                request = {self._table: {"Keys": wanted, "ConsistentRead": True}}
                with temporary_failures(WHAT):
                    answer = self._client.batch_get_item(RequestItems=request)
                yield from answer["Responses"].get(self._table, ())
                wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not wanted:
                    break
                time.sleep(0.02 * 2**attempt)
            else:
                raise Unavailable(f"{WHAT} is too busy")

    def write(self, changes: Sequence[Change]) -> list[bool]:
        done: list[bool] = []
        for part in _transactions(changes):
            done += self._write(part)
        return done

    def _write(self, changes: Sequence[Change]) -> list[bool]:
        """One transaction; the changes that lost a race are told by it and left out of the next."""
        done = [True] * len(changes)
        for attempt in range(ATTEMPTS):
            rows = [
                (number, row) for number, ok in enumerate(done) if ok for row in changes[number]
            ]
            if not rows:
                return done
            try:
                with temporary_failures(WHAT):
                    self._put([self._conditional(row) for _, row in rows])
                return done
            except ClientError as error:
                reasons = _reasons(error)
            for (number, _), reason in zip(rows, reasons, strict=True):
                if reason == "ConditionalCheckFailed":
                    done[number] = False
            if "ConditionalCheckFailed" not in reasons:
                # Somebody else's transaction was in the way: not all of us may come back at once.
                time.sleep(random.uniform(0.5, 1.5) * 0.02 * 2**attempt)
        raise Unavailable(f"{WHAT} is too busy")

    def _put(self, puts: list[dict[str, Any]]) -> None:
        if len(puts) == 1:
            self._client.put_item(**puts[0])
        else:
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])

    def _conditional(self, row: Row) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": items.item(row)}
        if row.version == 1:
            return put | {"ConditionExpression": "attribute_not_exists(fileId)"}
        return put | {
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": str(row.version - 1)}},
        }

    def list_by_user(self, user_id: str, *, limit: int, position: str | None = None) -> Page:
        condition = "userId = :user" + (" AND createdSort < :position" if position else "")
        values = {":user": {"S": user_id}} | ({":position": {"S": position}} if position else {})
        records: list[FileRecord] = []
        start: dict[str, Any] = {}
        while len(records) <= limit:
            with temporary_failures(WHAT):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName="by-created",
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ScanIndexForward=False,
                    ConsistentRead=True,
                    Limit=limit + 1,
                    **start,
                )
            rows = map(items.row, answer["Items"])
            records += [row for row in rows if isinstance(row, FileRecord)]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        page = tuple(records[:limit])
        return Page(page, items.created_sort(page[-1]) if len(records) > limit else None)

    def owners(self, file_ids: Sequence[str]) -> dict[str, str]:
        owners: dict[str, str] = {}
        for file_id in file_ids:
            with temporary_failures(WHAT):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName="by-file",
                    KeyConditionExpression="fileId = :file",
                    ExpressionAttributeValues={":file": {"S": file_id}},
                    Limit=1,
                )
            for item in answer["Items"]:
                owners[file_id] = item["userId"]["S"]
        return owners

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        found: list[dict[str, Any]] = []
        for shard in range(items.SHARDS):
            with temporary_failures(WHAT):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName="pending",
                    KeyConditionExpression="pendingShard = :shard AND settleAfter <= :at",
                    ExpressionAttributeValues={
                        ":shard": {"S": str(shard)},
                        ":at": {"N": str(at_ms)},
                    },
                    Limit=limit,
                )
            found += answer["Items"]
        found = sorted(found, key=lambda item: int(item["settleAfter"]["N"]))[:limit]
        keys = [(item["userId"]["S"], item["fileId"]["S"]) for item in found]
        users = tuple(user_id for user_id, name in keys if name == items.account_id(user_id))
        return Overdue(tuple(key for key in keys if key[1] != items.account_id(key[0])), users)

    def scan(self) -> Iterator[Row]:
        """Every row; costs a read of the whole table."""
        start: dict[str, Any] = {}
        while True:
            with temporary_failures(WHAT):
                answer = self._client.scan(TableName=self._table, ConsistentRead=True, **start)
            yield from map(items.row, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def ready(self) -> None:
        """Raises ``Unavailable`` when the table cannot be reached, or is not there."""
        try:
            with temporary_failures(WHAT):
                self._client.describe_table(TableName=self._table)
        except ClientError as error:
            raise Unavailable(f"{WHAT} has no table {self._table} for us") from error


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(keys), BATCH_MAX):
        yield keys[first : first + BATCH_MAX]


def _transactions(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes in order, as many together as one transaction takes."""
    part: list[Change] = []
    for change in changes:
        if part and sum(map(len, part)) + len(change) > TRANSACTION_ROWS:
            yield part
            part = []
        part.append(change)
    if part:
        yield part


def _reasons(error: ClientError) -> list[str]:
    """Why each row was not written. Raises *error* again when it is about something else."""
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ["ConditionalCheckFailed"]
    if code == "TransactionConflictException":  # of a single put, beside somebody's transaction
        return ["TransactionConflict"]
    if code != "TransactionCanceledException":
        raise error
    reasons = [str(reason.get("Code", "None")) for reason in error.response["CancellationReasons"]]
    if any(reason in LASTING for reason in reasons):
        raise error
    return reasons
