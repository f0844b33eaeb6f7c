"""Rows as the table holds them."""

import json

import pytest

from hoist.adapters import dynamodb_items
from hoist.domain.account import Account
from hoist.domain.model import FileFacts, FileRecord, Status
from tests.contracts.random_rows import STEP

FACTS = FileFacts("Müller \U0001f980.txt", 1, "text/plain")


@pytest.mark.parametrize(
    "row",
    [
        FileRecord("ada", "f", "m", FACTS, Status.STORED, 1, 2, steps=(STEP, STEP)),
        Account("ada", 5, version=3).reserve("f", 7, 10),
    ],
    ids=["file", "account"],
)
def test_a_row_that_an_older_release_wrote_as_other_text_is_the_same_row(row):
    """It escaped what is not ASCII, and put blanks between members."""
    item = dynamodb_items.item(row)
    texts = [name for name in ("steps", *dynamodb_items.KINDS) if name in item]
    assert texts
    for name in texts:
        older = json.dumps(json.loads(item[name]["S"]))
        assert older != item[name]["S"]
        item[name] = {"S": older}
    assert dynamodb_items.row(item) == row
