"""How much of DynamoDB is asked at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hoist.domain.ports import Change

BATCH_MAX = 100  # of BatchGetItem, and what a change may have
TRANSACTION_ROWS = 25  # together: larger ones keep everybody else waiting for longer


def parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(keys), BATCH_MAX):
        yield keys[first : first + BATCH_MAX]


def transactions(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes in order, as many together as one transaction takes."""
    part: list[Change] = []
    for change in changes:
        if part and sum(map(len, part)) + len(change) > TRANSACTION_ROWS:
            yield part
            part = []
        part.append(change)
    if part:
        yield part
