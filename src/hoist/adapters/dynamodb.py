"""File records in DynamoDB.

IAM      dynamodb:BatchGetItem, TransactWriteItems, PutItem, Query on the table and its indexes
Needs    the table and indexes of emulation/provision.py: userId + fileId, local index by-created,
         global indexes by-file and pending, both keys only
Sparse   ``createdSort`` is there only while a record is listed, ``pendingShard`` only while pending
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hoist.adapters.aws import temporary_failures
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileRecord, Status, record_from_json, record_to_json
from hoist.domain.ports import Key, Page

BATCH_MAX = 100  # of BatchGetItem and of TransactWriteItems
ATTEMPTS = 6
WHAT = "the metadata store"


class DynamoMetadata:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        found: dict[Key, FileRecord] = {}
        for part in _parts(list(dict.fromkeys(keys))):
            wanted = [_key(key) for key in part]
            for attempt in range(ATTEMPTS):
                request = {self._table: {"Keys": wanted, "ConsistentRead": True}}
                with temporary_failures(WHAT):
                    answer = self._client.batch_get_item(RequestItems=request)
                for item in answer["Responses"].get(self._table, ()):
                    record = _record(item)
                    found[record.user_id, record.file_id] = record
                wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not wanted:
                    break
                time.sleep(0.02 * 2**attempt)
            else:
                raise Unavailable(f"{WHAT} is too busy")
        return found

    def write(self, records: Sequence[FileRecord]) -> list[bool]:
        done: list[bool] = []
        for part in _parts(list(records)):
            done += self._write(part)
        return done

    def _write(self, records: Sequence[FileRecord]) -> list[bool]:
        """One transaction; the rows that lost a race are told by it and left out of the next."""
        done = [True] * len(records)
        for attempt in range(ATTEMPTS):
            open_ones = [number for number, ok in enumerate(done) if ok]
            if not open_ones:
                return done
            reasons: list[str] = []
            try:
                with temporary_failures(WHAT):
                    self._put([self._conditional(records[number]) for number in open_ones])
                return done
            except ClientError as error:
                reasons = _reasons(error)
                for number, reason in zip(open_ones, reasons, strict=True):
                    if reason == "ConditionalCheckFailed":
                        done[number] = False
            if "ConditionalCheckFailed" not in reasons:
                time.sleep(0.02 * 2**attempt)  # somebody else's transaction was in the way
        raise Unavailable(f"{WHAT} is too busy")

    def _put(self, puts: list[dict[str, Any]]) -> None:
        if len(puts) == 1:
            self._client.put_item(**puts[0])
        else:
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])

    def _conditional(self, record: FileRecord) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": _item(record)}
        if record.version == 1:
            return put | {"ConditionExpression": "attribute_not_exists(fileId)"}
        return put | {
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": str(record.version - 1)}},
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
            records += [_record(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        page = tuple(records[:limit])
        return Page(page, _created_sort(page[-1]) if len(records) > limit else None)

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

    def pending_before(self, at_ms: int, *, limit: int) -> list[Key]:
        with temporary_failures(WHAT):
            answer = self._client.query(
                TableName=self._table,
                IndexName="pending",
                KeyConditionExpression="pendingShard = :shard AND settleAfter <= :at",
                ExpressionAttributeValues={":shard": {"S": "0"}, ":at": {"N": str(at_ms)}},
                Limit=limit,
            )
        return [(item["userId"]["S"], item["fileId"]["S"]) for item in answer["Items"]]

    def ready(self) -> None:
        """Raises ``Unavailable`` when the table cannot be reached."""
        with temporary_failures(WHAT):
            self._client.describe_table(TableName=self._table)


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), BATCH_MAX):
        yield items[first : first + BATCH_MAX]


def _reasons(error: ClientError) -> list[str]:
    """Why each row was not written. Raises *error* again when it is about something else."""
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ["ConditionalCheckFailed"]
    if code == "TransactionConflictException":  # of a single put, beside somebody's transaction
        return ["TransactionConflict"]
    if code != "TransactionCanceledException":
        raise error
    return [str(reason.get("Code", "None")) for reason in error.response["CancellationReasons"]]


def _key(key: Key) -> dict[str, Any]:
    return {"userId": {"S": key[0]}, "fileId": {"S": key[1]}}


def _created_sort(record: FileRecord) -> str:
    return f"{record.created_at_ms:015d}#{record.file_id}"


def _item(record: FileRecord) -> dict[str, Any]:
    """Keys and what indexes and conditions need as attributes; the record itself as one document.

    One document keeps writing cheap and exact; nothing queries inside it.
    """
    item = _key((record.user_id, record.file_id)) | {
        "version": {"N": str(record.version)},
        "settleAfter": {"N": str(record.settle_after_ms)},
        "record": {"S": json.dumps(record_to_json(record))},
    }
    if record.is_listed:
        item["createdSort"] = {"S": _created_sort(record)}
    if record.status is Status.PENDING:
        item["pendingShard"] = {"S": "0"}
    return item


def _record(item: dict[str, Any]) -> FileRecord:
    return record_from_json(json.loads(item["record"]["S"]))
