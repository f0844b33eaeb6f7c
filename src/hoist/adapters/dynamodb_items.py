"""How rows look in the DynamoDB table: keys, what indexes and filters need, and the row itself.

Sparse   the sort keys are there while a list shows the record, ``dueShard`` while somebody must
         look at the row
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from pydantic_core import from_json, to_json

from hoist.domain.listing import Listing, Order, file_id_of_sort_key, fold, sort_key
from hoist.domain.model import FileRecord
from hoist.domain.ports import Key, Row
from hoist.domain.row_json import row_from_json, row_to_json, steps_from_json, steps_to_json
from hoist.domain.sharing import Share

SHARDS = 16
KINDS = ("file", "account", "share", "downloads")
SORTS = {Order.CREATED: "createdSort", Order.NAME: "nameSort", Order.SIZE: "sizeSort"}
INDEXES = {Order.CREATED: "by-created", Order.NAME: "by-name", Order.SIZE: "by-size"}
# What a list needs of a row, in every index: all but its steps.
LISTED = ("file", "status", "visibility", "contentType", "nameFold", "folder", *SORTS.values())


def key(key: Key) -> dict[str, Any]:
    return {"userId": {"S": key[0]}, "fileId": {"S": key[1]}}


def shard(user_id: str) -> str:
    """Spreads what is due over the index: one key alone takes 1,000 writes a second."""
    return str(zlib.crc32(user_id.encode()) % SHARDS)


def item(row: Row) -> dict[str, Any]:
    """The row as one document, beside it only what is queried: that keeps writing cheap."""
    kind, document = row_to_json(row)
    item = key((row.user_id, row.row_id)) | {"version": {"N": str(row.version)}}
    item[kind] = {"S": to_json(document).decode()}
    if row.due_at_ms is not None:
        item["dueAt"] = {"N": str(row.due_at_ms)}
        item["dueShard"] = {"S": shard(row.user_id)}
    if isinstance(row, Share):
        # Beside the document, which is as it was made: these are counted in place.
        item["followed"] = {"N": str(row.downloads)}
        item["isRevoked"] = {"BOOL": row.is_revoked}
    if isinstance(row, FileRecord):
        item |= _listed(row)
        if row.steps:
            item["steps"] = {"S": to_json(steps_to_json(row.steps)).decode()}
    return item


def _listed(record: FileRecord) -> dict[str, Any]:
    keys = {SORTS[order]: sort_key(record, order) for order in Order}
    if not all(keys.values()):
        return {}
    members = keys | {
        "status": record.status.value,
        "visibility": record.file.visibility.value,
        "contentType": record.file.content_type,
        "nameFold": fold(record.file.name),
        "folder": record.file.folder,
    }
    return {name: {"S": value} for name, value in members.items()}


def row(item: dict[str, Any]) -> Row:
    [kind] = [kind for kind in KINDS if kind in item]
    steps = steps_from_json(from_json(item["steps"]["S"])) if "steps" in item else ()
    found = row_from_json(kind, from_json(item[kind]["S"]), steps)
    if isinstance(found, Share):
        followed, version = (int(item[name]["N"]) for name in ("followed", "version"))
        return replace(found, downloads=followed, version=version)
    return found


def count_download(share: Share, name: str) -> dict[str, Any]:
    """The update that counts one download more of *share*, while it is allowed.

    It is known by its *name*: its answer may get lost, and a second attempt must not count again.
    """
    condition = "attribute_exists(fileId) AND isRevoked = :no AND NOT lastCounted = :name"
    values = {":one": {"N": "1"}, ":no": {"BOOL": False}, ":name": {"S": name}}
    if share.downloads_max is not None:
        condition += " AND followed < :max"
        values[":max"] = {"N": str(share.downloads_max)}
    return {
        "Key": key((share.user_id, share.row_id)),
        "UpdateExpression": "ADD followed :one, version :one SET lastCounted = :name",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def is_counted(item: dict[str, Any], name: str) -> bool:
    """Whether the last update of *item* was the one of this *name*."""
    return bool(item.get("lastCounted") == {"S": name})


def query(user_id: str, listing: Listing, position: str | None) -> dict[str, Any]:
    """The parameters of the query for what *listing* shows after *position*."""
    names = {"#sort": SORTS[listing.order]}
    values = {":user": user_id}
    filters = []
    for order, (low, high) in listing.ranges().items():
        values |= {f":{order}_low": low, f":{order}_high": high}
        if order is not listing.order:
            names[f"#{order}"] = SORTS[order]
            filters.append(f"#{order} BETWEEN :{order}_low AND :{order}_high")
    for test, attribute, value in _tests(listing):
        names[f"#{attribute}"] = attribute
        places = [f":{attribute}_{number}" for number in range(len(value))]
        values |= dict(zip(places, value, strict=True))
        filters.append(test.format(f"#{attribute}", *places, all=", ".join(places)))
    own = f":{listing.order}"
    asked: dict[str, Any] = {
        "IndexName": INDEXES[listing.order],
        "KeyConditionExpression": f"userId = :user AND #sort BETWEEN {own}_low AND {own}_high",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        "ScanIndexForward": not listing.is_descending,
        "ConsistentRead": True,
    }
    if filters:
        asked["FilterExpression"] = " AND ".join(filters)
    if position:
        start = key((user_id, file_id_of_sort_key(position)))
        asked["ExclusiveStartKey"] = start | {SORTS[listing.order]: {"S": position}}
    return asked


def _tests(listing: Listing) -> list[tuple[str, str, list[str]]]:
    """A condition, the attribute it is about, and its values."""
    tests = []
    if listing.statuses:
        tests.append(("{0} IN ({all})", "status", [status.value for status in listing.statuses]))
    if listing.visibility:
        tests.append(("{0} = {1}", "visibility", [listing.visibility.value]))
    if listing.name_contains:
        tests.append(("contains({0}, {1})", "nameFold", [fold(listing.name_contains)]))
    if listing.content_type.endswith("/"):
        tests.append(("begins_with({0}, {1})", "contentType", [listing.content_type]))
    elif listing.content_type:
        tests.append(("{0} = {1}", "contentType", [listing.content_type]))
    if listing.folder is not None and not listing.is_deep:
        tests.append(("{0} = {1}", "folder", [listing.folder]))
    elif listing.folder:
        below = [listing.folder, listing.folder + "/"]
        tests.append(("({0} = {1} OR begins_with({0}, {2}))", "folder", below))
    return tests
