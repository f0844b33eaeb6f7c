"""A file's states: every order of events, and every repeat, ends the same."""

import itertools
from dataclasses import replace

import pytest

from hoist.domain import lifecycle
from hoist.domain.model import FileFacts, FileRecord, Status, StoredObject

FACTS = FileFacts("a.txt", 12, "text/plain")
PENDING = FileRecord("ada", "f-1", "m-1", FACTS, Status.PENDING, 1000, 2000)
FOUND = StoredObject(size=12, etag="e", stored_at_ms=1500)


def fold(steps):
    row = None
    for step in steps:
        if step == "requested":
            row = lifecycle.requested(row, PENDING)
        elif step == "stored":
            row = lifecycle.stored(row, "ada", "f-1", FOUND)
        else:
            row = lifecycle.expired(row, 2000)
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
    row = lifecycle.stored(PENDING, "ada", "f-1", replace(FOUND, size=13))
    assert row.status is Status.REJECTED
    assert "12" in row.reason
    assert "13" in row.reason


def test_another_checksum_in_storage_is_rejected():
    announced = replace(PENDING, file=replace(FACTS, checksum_sha256="A" * 43 + "="))
    row = lifecycle.stored(announced, "ada", "f-1", replace(FOUND, checksum_sha256="B" * 43 + "="))
    assert row.status is Status.REJECTED


def test_bytes_that_come_after_expiry_are_still_a_file():
    assert fold(["requested", "expired", "stored"]).status is Status.STORED


def test_a_stored_file_never_expires():
    assert fold(["requested", "stored", "expired"]).status is Status.STORED


def test_an_object_without_a_request_is_hidden():
    assert not fold(["stored"]).is_listed


def test_an_expired_upload_begins_again_only_by_a_later_grant():
    expired = fold(["requested", "expired"])
    again = lifecycle.requested(expired, replace(PENDING, settle_after_ms=9000))
    assert (again.status, again.settle_after_ms, again.version) == (Status.PENDING, 9000, 3)
    assert lifecycle.requested(expired, PENDING) is expired


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.MISSING, Status.ARRIVED])
def test_what_begins_again_keeps_its_owners_changes(status):
    current = replace(PENDING, status=status, stored=FOUND, revision=4, changes=("c-1", "c-2"))
    again = lifecycle.requested(current, replace(PENDING, settle_after_ms=9000))
    assert again.status in (Status.PENDING, Status.STORED)
    assert (again.revision, again.changes) == (4, ("c-1", "c-2"))


def test_an_upload_that_was_extended_does_not_expire_at_its_old_end():
    longer = lifecycle.extended(PENDING, 5000)
    assert lifecycle.expired(longer, 2000) is longer
    assert lifecycle.expired(longer, 5000).status is Status.EXPIRED
    assert lifecycle.extended(longer, 4000) is longer


def cancel(row):
    return lifecycle.cancelled(row, "ada", "f-1", "m-1", 1800)


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.EXPIRED, Status.REJECTED, Status.ARRIVED]
)
def test_what_is_no_file_yet_is_cancelled_and_stays_so(status):
    row = cancel(replace(PENDING, status=status, stored=FOUND))
    assert row.status is Status.CANCELLED
    assert cancel(row) is row
    assert lifecycle.stored(row, "ada", "f-1", FOUND) is row
    assert lifecycle.expired(row, 9999) is row


def test_a_stored_file_is_deleted_by_cancelling():
    row = cancel(fold(["requested", "stored"]))
    assert row.status is Status.PURGED
    assert not row.is_listed
    assert cancel(row) is row


def test_an_upload_cancelled_in_the_queue_stays_cancelled_when_its_request_comes():
    row = cancel(None)
    later = lifecycle.requested(row, PENDING)
    assert (later.status, later.file, later.version) == (Status.CANCELLED, FACTS, 2)
    assert lifecycle.requested(later, PENDING) is later


def test_only_a_stored_file_can_go_missing():
    stored = fold(["requested", "stored"])
    assert lifecycle.missing(stored).status is Status.MISSING
    assert lifecycle.missing(PENDING) is PENDING
    assert lifecycle.missing(None) is None


def test_the_checksum_of_checksums_of_an_object_in_parts_is_not_compared():
    announced = replace(PENDING, file=replace(FACTS, checksum_sha256="A" * 43 + "="))
    row = lifecycle.stored(
        announced, "ada", "f-1", replace(FOUND, checksum_sha256="B" * 43 + "=-3")
    )
    assert row.status is Status.STORED
