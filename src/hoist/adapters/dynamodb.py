"""File records in DynamoDB.

IAM      dynamodb:BatchGetItem, PutItem, UpdateItem, Query, Scan on the table and its indexes;
         a transaction needs no right of its own
Needs    the table and indexes of emulation/provision.py: userId + fileId, a local index for each
         order of a list, global indexes by-file and due, both keys only
Limits   a user's rows and their local indexes are at most 10 GB together: some 2 million files
Accounts are rows of the same table, so that a transaction can settle a file and its books
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hoist.adapters import dynamodb_items as items
from hoist.adapters.aws import temporary_failures
from hoist.adapters.aws_json import JsonCalls
from hoist.adapters.dynamodb_batches import parts, transactions
from hoist.adapters.dynamodb_races import pause, reasons_of
from hoist.domain.account import Account, account_row_id, accounts_among
from hoist.domain.errors import Unavailable
from hoist.domain.listing import NEWEST_FIRST, Listing
from hoist.domain.model import FileRecord
from hoist.domain.ports import Change, Key, Overdue, Page, Row
from hoist.domain.sharing import Share, share_row_id

ATTEMPTS = 6
QUERIES_MAX = 10  # of one page, each of up to 1 MB: a filter that finds little is told in pieces
WHAT = "the metadata store"
PROBE = ("-", "-")  # a row that nobody has


class DynamoMetadata:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._call = JsonCalls(client)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        return {k: row for k, row in self.rows(keys).items() if isinstance(row, FileRecord)}

    def accounts(self, user_ids: Sequence[str]) -> dict[str, Account]:
        rows = self.rows([(user_id, account_row_id(user_id)) for user_id in user_ids])
        return accounts_among(rows.values(), user_ids)

    def rows(self, keys: Sequence[Key]) -> dict[Key, Row]:
        return {(row.user_id, row.row_id): row for row in map(items.row, self._get(keys))}

    def shares(self, user_id: str) -> list[Share]:
        asked = {
            "KeyConditionExpression": "userId = :user AND begins_with(fileId, :share)",
            "ExpressionAttributeValues": {
                ":user": {"S": user_id},
                ":share": {"S": share_row_id("")},
            },
            "ConsistentRead": True,
        }
        rows = [items.row(item) for answer in self._query(asked) for item in answer["Items"]]
        return [row for row in rows if isinstance(row, Share)]

    def count_download(self, share: Share) -> Share | None:
        asked = {"TableName": self._table} | items.count_download(share, name := uuid.uuid4().hex)
        for attempt in range(ATTEMPTS):
            try:
                with temporary_failures(WHAT):
                    found = self._call("UpdateItem", **asked)["Attributes"]
            except ClientError as error:
                if reasons_of(error) != ["ConditionalCheckFailed"]:
                    pause(attempt)
                    continue
                found = error.response.get("Item", {})
                if not items.is_counted(found, name):
                    return None
            row = items.row(found)
            return row if isinstance(row, Share) else None
        raise Unavailable(f"{WHAT} is too busy")

    def _get(self, keys: Sequence[Key]) -> Iterator[dict[str, Any]]:
        for part in parts(list(dict.fromkeys(keys))):
            wanted = [items.key(key) for key in part]
            for attempt in range(ATTEMPTS):
                request = {self._table: {"Keys": wanted, "ConsistentRead": True}}
                with temporary_failures(WHAT):
                    answer = self._call("BatchGetItem", RequestItems=request)
                yield from answer["Responses"].get(self._table, ())
                wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not wanted:
                    break
                time.sleep(0.02 * 2**attempt)
            else:
                raise Unavailable(f"{WHAT} is too busy")

    def write(self, changes: Sequence[Change]) -> list[bool]:
        done: list[bool] = []
        for part in transactions(changes):
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
                reasons = reasons_of(error)
            for (number, _), reason in zip(rows, reasons, strict=True):
                if reason == "ConditionalCheckFailed":
                    done[number] = False
            if "ConditionalCheckFailed" not in reasons:
                pause(attempt)
        raise Unavailable(f"{WHAT} is too busy")

    def _put(self, puts: list[dict[str, Any]]) -> None:
        if len(puts) == 1:
            self._call("PutItem", **puts[0])
        else:
            self._call("TransactWriteItems", TransactItems=[{"Put": put} for put in puts])

    def _conditional(self, row: Row) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": items.item(row)}
        if row.version == 1:
            return put | {"ConditionExpression": "attribute_not_exists(fileId)"}
        return put | {
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": str(row.version - 1)}},
        }

    def list_by_user(
        self,
        user_id: str,
        listing: Listing = NEWEST_FIRST,
        *,
        limit: int,
        position: str | None = None,
    ) -> Page:
        asked = items.query(user_id, listing, position)
        asked["Limit"], looked = limit + 1, 0
        found: list[dict[str, Any]] = []
        sort = items.SORTS[listing.order]
        for number, answer in enumerate(self._query(asked), start=1):
            found += answer["Items"]
            if len(found) > limit:
                return _page(found[:limit], found[limit - 1][sort]["S"])
            if number == QUERIES_MAX and "LastEvaluatedKey" in answer:
                return _page(found, answer["LastEvaluatedKey"][sort]["S"])
            looked += asked["Limit"]
            asked["Limit"] = next_limit(asked["Limit"], looked, len(found), limit + 1)
        return _page(found, None)

    def _query(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Answer after answer, for as long as there is more and somebody reads.

        What the reader changes in *asked* counts from the next query on.
        """
        start: dict[str, Any] = {}
        while True:
            with temporary_failures(WHAT):
                answer = self._client.query(TableName=self._table, **asked | start)
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def owners(self, row_ids: Sequence[str]) -> dict[str, str]:
        owners: dict[str, str] = {}
        for row_id in row_ids:
            with temporary_failures(WHAT):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName="by-file",
                    KeyConditionExpression="fileId = :file",
                    ExpressionAttributeValues={":file": {"S": row_id}},
                    Limit=1,
                )
            for item in answer["Items"]:
                owners[row_id] = item["userId"]["S"]
        return owners

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        found: list[dict[str, Any]] = []
        for shard in range(items.SHARDS):
            with temporary_failures(WHAT):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName="due",
                    KeyConditionExpression="dueShard = :shard AND dueAt <= :at",
                    ExpressionAttributeValues={
                        ":shard": {"S": str(shard)},
                        ":at": {"N": str(at_ms)},
                    },
                    Limit=limit,
                )
            found += answer["Items"]
        found = sorted(found, key=lambda item: int(item["dueAt"]["N"]))[:limit]
        keys = [(item["userId"]["S"], item["fileId"]["S"]) for item in found]
        users = tuple(user_id for user_id, name in keys if name == account_row_id(user_id))
        return Overdue(tuple(key for key in keys if key[1] != account_row_id(key[0])), users)

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
        """Raises ``Unavailable`` unless rows can be written; tries it with one that stays out."""
        probe = {"Item": items.key(PROBE), "ConditionExpression": "attribute_exists(fileId)"}
        try:
            with temporary_failures(WHAT):
                self._call("PutItem", TableName=self._table, **probe)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise Unavailable(f"{WHAT} takes no rows in {self._table}") from error


def _page(found: list[dict[str, Any]], position: str | None) -> Page:
    rows = map(items.row, found)
    return Page(tuple(row for row in rows if isinstance(row, FileRecord)), position)


def next_limit(last: int, looked: int, found: int, wanted: int) -> int:
    """How many rows to look at next, when *looked* of them held *found* of what is *wanted*.

    About as many as the rest needs, with a quarter to spare; four times as many when it is rare.
    """
    if not found:
        return last * 4
    return min(last * 4, math.ceil((wanted - found) * looked / found * 1.25))
