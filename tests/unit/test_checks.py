"""The checks of a run: a clean one breaks no promise, each planted anomaly breaks its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hoist.domain.model import file_id
from loadtest.checks import Books, Row, Truth, violations
from loadtest.ledger import Ledger, Outcome

ADA, GRACE, URL = "auth0|ada", "auth0|grace", "http://gateway-a"


def row(user, message, status="stored", size=10):
    this = file_id(user, message)
    return Row(user, message, this, f"files/{this[:2]}/{this}", size, status)


@pytest.fixture
def ledger():
    """Ada's file that is stored and her URL that was never used; Grace's refusal and dead letter;
    a request that nobody accepted, and one of which nobody knows."""
    ledger = Ledger()
    for message in ("m-1", "m-2"):
        ledger.open(ADA, message, 10).granted(file_id(ADA, message))
    ledger.requests[ADA, "m-1"].sent = Outcome.OK
    ledger.open(GRACE, "m-3", 10).rejected("quota_exceeded", file_id(GRACE, "m-3"))
    ledger.open(GRACE, "m-4", 10).accepted(file_id(GRACE, "m-4"))
    ledger.open(GRACE, "m-5", 10).turned_away()
    ledger.open(GRACE, "m-6", 10).unanswered()
    ledger.show(ADA, {"files": [{"fileId": file_id(ADA, "m-1")}]})
    return ledger


@pytest.fixture
def truth():
    rows = [row(ADA, "m-1"), row(ADA, "m-2", "expired")]
    shown = [f"{each.file_id} {each.status}" for each in reversed(rows)]
    return Truth(
        rows=rows,
        objects={rows[0].s3_key: 10},
        letters=frozenset({(GRACE, "m-4")}),
        books={ADA: Books(10, 0, 100), GRACE: Books(0, 0, 100)},
        lists={(ADA, URL): shown, (GRACE, URL): []},
        stored_lists={ADA: shown, GRACE: []},
        quiet_seconds=3.0,
    )


def broken(ledger, truth):
    return {found.promise for found in violations(ledger, truth)}


def test_a_clean_run_breaks_no_promise(ledger, truth):
    assert violations(ledger, truth) == []


def test_what_nobody_answered_may_be_there(ledger, truth):
    truth.rows = [*truth.rows, row(GRACE, "m-6", "expired")]
    assert violations(ledger, truth) == []


def test_i1_a_record_is_lost(ledger, truth):
    truth.rows = truth.rows[:1]
    assert {"I1", "I9"} <= broken(ledger, truth)


def test_i1_sent_bytes_are_not_stored(ledger, truth):
    truth.rows = [replace(truth.rows[0], status="expired"), truth.rows[1]]
    assert "I1" in broken(ledger, truth)


def test_i1_an_upload_never_ends(ledger, truth):
    truth.rows = [truth.rows[0], replace(truth.rows[1], status="pending")]
    assert "I1" in broken(ledger, truth)


def test_i1_a_record_and_a_refusal_at_once(ledger, truth):
    truth.rows = [*truth.rows, row(GRACE, "m-3", "expired")]
    assert "I1" in broken(ledger, truth)


@pytest.mark.parametrize("ask", ["accepted", "unanswered"])
def test_a_refusal_and_the_record_of_a_later_attempt_that_nobody_heard_of(ledger, truth, ask):
    request, this = ledger.requests[GRACE, "m-3"], file_id(GRACE, "m-3")
    request.accepted(this) if ask == "accepted" else request.unanswered()
    assert violations(ledger, truth) == []  # it may have been refused again
    truth.rows = [*truth.rows, row(GRACE, "m-3", "expired")]
    assert violations(ledger, truth) == []
    truth.rows[-1] = replace(truth.rows[-1], status="pending")
    assert "I1" in broken(ledger, truth)
    truth.rows[-1] = replace(truth.rows[-1], status="expired")
    request.rejected("quota_exceeded", this)  # but once that is heard, there is no record
    assert "I1" in broken(ledger, truth)


def test_a_record_that_its_client_was_told_of_is_one_end(ledger, truth):
    ledger.requests[ADA, "m-2"].rejected("expired", file_id(ADA, "m-2"))
    assert violations(ledger, truth) == []


@pytest.mark.parametrize("member", ["file_id", "s3_key"])
def test_i2_two_records_of_one_request(ledger, truth, member):
    double = replace(truth.rows[1], **{member: "another"})
    truth.rows = [*truth.rows, double]
    assert "I2" in broken(ledger, truth)


def test_i2_bytes_are_charged_twice(ledger, truth):
    truth.books = {**truth.books, ADA: Books(20, 0, 100)}
    assert broken(ledger, truth) == {"I2"}


def test_i3_a_record_of_a_refused_request(ledger, truth):
    truth.rows = [*truth.rows, row(GRACE, "m-5", "expired")]
    assert "I3" in broken(ledger, truth)


def test_i3_a_record_of_no_request(ledger, truth):
    truth.rows = [*truth.rows, row(GRACE, "m-made-up", "expired")]
    assert "I3" in broken(ledger, truth)


@pytest.mark.parametrize("etag", ["0" * 32, ""])
def test_i3_other_bytes_of_the_same_length(ledger, truth, etag):
    ledger.requests[ADA, "m-1"].md5 = "1" * 32
    truth.rows = [replace(truth.rows[0], etag="1" * 32), truth.rows[1]]
    assert violations(ledger, truth) == []
    truth.rows[0] = replace(truth.rows[0], etag=etag)
    assert broken(ledger, truth) == {"I3"}


@pytest.mark.parametrize("key", ["another", None])
def test_i3_a_stored_record_without_its_bytes(ledger, truth, key):
    truth.objects = {key or truth.rows[0].s3_key: 11}
    assert broken(ledger, truth) == {"I3"}


def test_i4_two_answers_to_one_request(ledger, truth):
    ledger.requests[ADA, "m-1"].answered.add("another")
    assert broken(ledger, truth) == {"I4"}


def test_i4_another_file_was_accepted(ledger, truth):
    ledger.requests[ADA, "m-1"].impostors = 1
    assert broken(ledger, truth) == {"I4"}


def test_i5_over_the_quota_for_a_moment(ledger, truth):
    truth.over_quota = [ADA]
    assert broken(ledger, truth) == {"I5"}


def test_i5_a_reservation_is_left(ledger, truth):
    truth.books = {**truth.books, GRACE: Books(0, 5, 100)}
    assert broken(ledger, truth) == {"I5"}


def test_i5_reserved_and_used_are_over_the_quota_together(ledger, truth):
    truth.books = {**truth.books, ADA: Books(10, 0, 10)}
    assert violations(ledger, truth) == []
    truth.books[ADA] = Books(10, 1, 10)
    details = [one.detail for one in violations(ledger, truth) if one.promise == "I5"]
    assert "10 used and 1 reserved bytes" in details


@pytest.mark.parametrize("change", [lambda shown: shown[1:], lambda shown: shown[::-1]])
def test_i6_a_stale_list(ledger, truth, change):
    truth.lists = {**truth.lists, (ADA, URL): change(truth.lists[ADA, URL])}
    assert broken(ledger, truth) == {"I6"}


def test_i7_somebody_elses_file_is_shown(ledger, truth):
    ledger.show(GRACE, {"event": "upload.stored", "file": {"fileId": file_id(ADA, "m-1")}})
    assert broken(ledger, truth) == {"I7"}


@pytest.mark.parametrize("seconds", [None, 31.0])
def test_i8_a_consumer_stays_behind(ledger, truth, seconds):
    truth.quiet_seconds = seconds
    assert broken(ledger, truth) == {"I8"}


def test_i8_a_process_needs_a_hand(ledger, truth):
    truth.down = ["metadata"]
    assert broken(ledger, truth) == {"I8"}


def test_i9_a_dead_letter_of_nobody(ledger, truth):
    truth.letters |= {(GRACE, "m-never")}
    assert broken(ledger, truth) == {"I9"}


def test_i9_lost_and_made_up_do_not_cancel_out(ledger, truth):
    truth.rows = [truth.rows[0], row(ADA, "m-other", "expired")]
    found = [each for each in violations(ledger, truth) if each.promise == "I9"]
    assert len(found) == 2


def test_a_refusal_after_doubt_leaves_the_outcome_unknown():
    request = Ledger().open(ADA, "m-1", 1)
    request.unanswered()
    request.turned_away()
    assert request.outcome is Outcome.UNKNOWN


def test_doubt_after_a_refusal_makes_the_outcome_unknown():
    request = Ledger().open(ADA, "m-1", 1)
    request.turned_away()
    request.unanswered()
    assert request.outcome is Outcome.UNKNOWN
    request.granted("f")
    assert request.outcome is Outcome.OK
