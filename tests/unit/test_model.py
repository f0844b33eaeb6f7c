"""A file's states: every order of events, and every repeat, ends the same."""

import itertools
from dataclasses import replace

import pytest

from hoist.domain import model
from hoist.domain.model import FileFacts, FileRecord, Status, StoredObject

FACTS = FileFacts("a.txt", 12, "text/plain")
PENDING = FileRecord("ada", "f-1", "m-1", FACTS, Status.PENDING, 1000, 2000)
FOUND = StoredObject(size=12, etag="e", stored_at_ms=1500)


def fold(steps):
    row = None
    for step in steps:
        if step == "requested":
            row = model.requested(row, PENDING)
        elif step == "stored":
            row = model.stored(row, "ada", "f-1", FOUND)
        else:
            row = model.expired(row)
    return row


@pytest.mark.parametrize("steps", list(itertools.permutations(["requested", "stored"])))
def test_both_arrival_orders_end_stored(steps):
    assert fold(steps).status is Status.STORED
    assert fold(steps).file == FACTS


@pytest.mark.parametrize(
    "steps",
    [
        ["requested", "requested"],
        ["requested", "stored", "stored"],
        ["requested", "stored", "requested"],
        ["stored", "stored", "requested", "stored"],
    ],
)
def test_a_second_delivery_changes_nothing(steps):
    once = list(dict.fromkeys(steps))
    assert replace(fold(steps), version=0) == replace(fold(once), version=0)


def test_another_size_in_storage_is_rejected_with_both_sizes_told():
    row = model.stored(PENDING, "ada", "f-1", replace(FOUND, size=13))
    assert row.status is Status.REJECTED
    assert "12" in row.reason
    assert "13" in row.reason


def test_another_checksum_in_storage_is_rejected():
    announced = replace(PENDING, file=replace(FACTS, checksum_sha256="A" * 43 + "="))
    row = model.stored(announced, "ada", "f-1", replace(FOUND, checksum_sha256="B" * 43 + "="))
    assert row.status is Status.REJECTED


def test_bytes_that_come_after_expiry_are_still_a_file():
    assert fold(["requested", "expired", "stored"]).status is Status.STORED


def test_a_stored_file_never_expires():
    assert fold(["requested", "stored", "expired"]).status is Status.STORED


def test_an_object_without_a_request_is_hidden():
    assert not fold(["stored"]).is_listed


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


@pytest.mark.parametrize("row", [PENDING, replace(PENDING, stored=FOUND, status=Status.STORED)])
def test_a_record_survives_json(row):
    assert model.record_from_json(model.record_to_json(row)) == row
