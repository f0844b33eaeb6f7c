"""Ids, keys and the JSON form of a record."""

from dataclasses import replace

import pytest

from hoist.domain import model, row_json
from hoist.domain.model import FileFacts, FileRecord, Multipart, Status, StoredObject

FACTS = FileFacts("a.txt", 12, "text/plain")
PENDING = FileRecord("ada", "f-1", "m-1", FACTS, Status.PENDING, 1000, 2000)
FOUND = StoredObject(size=12, etag="e", stored_at_ms=1500)


def test_ids_depend_on_both_user_and_message():
    ids = {model.file_id(user, message) for user in ("ada", "grace") for message in ("1", "2")}
    assert len(ids) == 4
    assert model.file_id("ada", "1") == model.file_id("ada", "1")


@pytest.mark.parametrize("key", ["files/ab/other", "x/y/z", "", "files/zz/" + "a" * 36])
def test_keys_of_others_belong_to_no_file(key):
    assert model.file_id_of_key(key) is None


def test_a_key_leads_back_to_its_file():
    this = model.file_id("ada", "1")
    assert model.file_id_of_key(model.s3_key(this)) == this


@pytest.mark.parametrize(
    "row",
    [
        PENDING,
        replace(PENDING, stored=FOUND, status=Status.STORED),
        replace(PENDING, multipart=Multipart("u-1", 5)),
    ],
)
def test_a_record_survives_json(row):
    assert row_json.record_from_json(row_json.record_to_json(row)) == row


@pytest.mark.parametrize(("size", "lengths"), [(10, [5, 5]), (11, [5, 5, 1]), (4, [4])])
def test_every_part_is_whole_but_the_last(size, lengths):
    parts = Multipart("u-1", 5)
    assert parts.count(size) == len(lengths)
    assert [parts.length(number, size) for number in range(1, len(lengths) + 1)] == lengths
