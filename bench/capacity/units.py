"""What DynamoDB charges for a write, by its own rules, from the row before and the row after.

Computed and not asked: DynamoDB Local agrees for single writes (a test compares), but its sums for
transactions are not those of AWS. Rules: docs.aws.amazon.com, "Read and write operations" and
"Local secondary indexes". A transaction writes each item twice, in the table and in local indexes;
that global ones are written once is our reading, as they follow later, on their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hoist.adapters import dynamodb_items as items

Item = Mapping[str, Mapping[str, Any]]
WRITE_BYTES, READ_BYTES = 1024, 4096
ENTRY_BYTES = 100  # what storage adds to each item, and each entry of an index
KEYS = ("userId", "fileId")
LOCAL: dict[str, tuple[str, ...]] = {
    items.INDEXES[order]: (items.SORTS[order],) for order in items.SORTS
}
GLOBAL: dict[str, tuple[str, ...]] = {"by-file": ("fileId",), "due": ("dueShard", "dueAt")}


def write(before: Item | None, after: Item, *, is_transaction: bool) -> Counter[str]:
    """Write units of one put, for the table and each index."""
    twice = 2 if is_transaction else 1
    units = Counter({"table": twice * _blocks(max(size(before or {}), size(after)), WRITE_BYTES)})
    for name, keys in LOCAL.items():
        units[name] = twice * _index(before, after, keys, items.LISTED)
    for name, keys in GLOBAL.items():
        units[name] = _index(before, after, keys, ())
    return +units


def read(item: Item | None) -> int:
    """Read units of one consistent read; an item that is not there costs as much as a small one."""
    return _blocks(size(item or {}), READ_BYTES)


def stored(item: Item) -> tuple[int, int]:
    """Bytes that are paid for, and those that count as the user's own 10 GB: with local indexes."""
    own = [item, *(_entry(item, keys, items.LISTED) for keys in LOCAL.values())]
    others = [_entry(item, keys, ()) for keys in GLOBAL.values()]
    local, far = (sum(size(one) + ENTRY_BYTES for one in part if one) for part in (own, others))
    return local + far, local


def size(item: Item) -> int:
    """Bytes as DynamoDB counts them: names, text in UTF-8, numbers by their digits."""
    return sum(len(name) + _value(value) for name, value in item.items())


def _value(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    return (len(content) + 1) // 2 + 1 if kind == "N" else 1


def _index(
    before: Item | None, after: Item, keys: tuple[str, ...], carried: tuple[str, ...]
) -> int:
    """Nothing when the entry stays as it is; two writes when it moves to another place."""
    old, new = (_entry(item, keys, carried) for item in (before, after))
    if old == new:
        return 0
    if old and new and all(old[key] == new[key] for key in keys):
        return _blocks(max(size(old), size(new)), WRITE_BYTES)
    return sum(_blocks(size(entry), WRITE_BYTES) for entry in (old, new) if entry)


def _entry(item: Item | None, keys: tuple[str, ...], carried: tuple[str, ...]) -> Item | None:
    if item is None or not all(key in item for key in keys):
        return None
    return {name: item[name] for name in {*KEYS, *keys, *carried} if name in item}


def _blocks(count: int, block: int) -> int:
    return max(1, -(-count // block))
