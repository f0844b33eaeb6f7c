"""What the load is judged by: the books of several processes, the names, refusals."""

import json

import pytest

from hoist.domain.model import file_id
from loadtest import judge, naming, refusals
from loadtest.books import Books
from loadtest.checks import Row, Truth
from loadtest.ledger import Ledger, Outcome
from loadtest.people import User
from loadtest.watch import SAMPLED_USERS_MAX, sampled

ADA, GRACE = User("ada", "token-a", "basic"), User("grace", "token-g", "premium")


def plain(told):
    """As it arrives from another process."""
    return json.loads(json.dumps(told))


def stored(books, user, message_id, size=7):
    with books.upload(user.user_id, message_id, size) as request:
        own_id = file_id(user.user_id, message_id)
        request.granted(own_id)
        request.sent = Outcome.OK
        books.ledger.show(user.user_id, {"fileId": own_id})


def lead(*workers):
    books = Books()
    for worker in workers:
        books.take(plain(worker.hand_over()))
    return books


def test_the_books_of_two_processes_are_one():
    first, second = Books(), Books()
    first.enter(ADA)
    second.enter(GRACE)
    stored(first, ADA, "m-1")
    stored(second, GRACE, "m-1")
    second.ledger.refuse("busy")
    with second.upload("grace", "m-2", 9) as refused:
        refused.rejected("quota_exceeded", file_id("grace", "m-2"))
    books = lead(first, second)
    assert books.ledger.requests.keys() == {("ada", "m-1"), ("grace", "m-1"), ("grace", "m-2")}
    one = books.ledger.requests["grace", "m-2"]
    assert (one.refusal, one.outcome, one.answered, one.sent) == (
        "quota_exceeded",
        Outcome.OK,
        {file_id("grace", "m-2")},
        None,
    )
    assert books.ledger.requests["ada", "m-1"].sent is Outcome.OK
    assert books.ledger.seen == {
        "ada": {file_id("ada", "m-1")},
        "grace": {file_id("grace", "m-1")},
    }
    assert books.ledger.refusals == {"busy": 1}
    assert books.users == {"ada": ADA, "grace": GRACE}


def test_what_somebody_is_busy_with_is_handed_over_when_it_is_done_and_once():
    worker, books = Books(), Books()
    with worker.upload("ada", "m-1", 7) as request:
        books.take(plain(worker.hand_over()))
        assert not books.ledger.requests
        request.granted(file_id("ada", "m-1"))
    told = worker.hand_over()
    books.take(plain(told))
    assert books.ledger.requests["ada", "m-1"].outcome is Outcome.OK
    assert len(told["requests"]) == 1
    assert not worker.hand_over()["requests"]


def test_closed_books_hand_over_all_that_is_left():
    worker = Books()
    opened = worker.upload("ada", "m-1", 7)
    opened.__enter__()
    worker.is_closed = True
    told = worker.hand_over()
    assert told["isClosed"]
    assert len(told["requests"]) == 1


def test_books_of_an_earlier_run_are_not_taken():
    worker, books = Books(), Books()
    stored(worker, ADA, "m-1")
    books.start("2")
    books.take(plain(worker.hand_over()))
    assert not books.ledger.requests


def test_every_process_told_what_it_had():
    """A run of many requests over many reports: nothing lost on the way, nothing twice."""
    workers, books = [Books(), Books()], Books()
    for number in range(50):
        stored(workers[number % 2], ADA, f"m-{number}")
        if number % 7 == 0:
            books.take(plain(workers[number % 2].hand_over()))
    for worker in workers:
        worker.is_closed = True
        books.take(plain(worker.hand_over()))
    assert books.ledger.requests.keys() == {("ada", f"m-{number}") for number in range(50)}


def row(message_id, status="stored"):
    own_id = file_id("ada", message_id)
    return Row("ada", message_id, own_id, f"files/{own_id}", 7, status)


def truth(rows, listed):
    lines = [f"{file_id('ada', message_id)} stored" for message_id in listed]
    return Truth(rows=rows, lists={("ada", "a"): lines, ("ada", "b"): lines})


def three():
    books = Books()
    for message_id in ("m-1", "m-2", "m-3"):
        stored(books, ADA, message_id)
    return books.ledger


def test_what_was_granted_is_stored_and_listed():
    ids = ("m-1", "m-2", "m-3")
    found = judge.sets(three(), truth([row(each) for each in ids], ids))
    names = ("granted", "stored", "listed", "lost", "unlisted", "duplicated")
    assert [found[name] for name in names] == [3, 3, 3, 0, 0, 0]


def test_one_lost_and_one_twice_do_not_cancel_out():
    rows = [row("m-1"), row("m-1"), row("m-2")]
    found = judge.sets(three(), truth(rows, ("m-1", "m-2")))
    assert found["lostNames"] == [["ada", "m-3"]]
    assert found["duplicatedNames"] == [["ada", "m-1"]]


def test_a_stored_file_that_no_list_shows_and_one_shown_twice_are_told():
    rows = [row(each) for each in ("m-1", "m-2", "m-3")]
    found = judge.sets(three(), truth(rows, ("m-1", "m-2", "m-2")))
    assert (found["lost"], found["unlisted"], found["duplicated"]) == (0, 1, 1)


def test_an_upload_that_expired_unsent_is_given_up_and_one_whose_bytes_came_is_lost():
    ledger = three()
    ledger.requests["ada", "m-2"].sent = Outcome.FAIL
    rows = [row("m-1"), row("m-2", "expired"), row("m-3", "expired")]
    assert judge.sets(ledger, truth(rows, ["m-1"]))["lostNames"] == [["ada", "m-3"]]


def test_a_cancelled_upload_is_not_lost():
    ledger = three()
    ledger.requests["ada", "m-3"].is_cancelled = True
    found = judge.sets(ledger, truth([row("m-1"), row("m-2"), row("m-3", "cancelled")], ["m-1"]))
    assert (found["lost"], found["cancelled"]) == (0, 1)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/files?limit=50&cursor=abc", "/files"),
        ("/files/7d0c", "/files/{id}"),
        ("/files/upload", "/files/upload"),
        ("/uploads/7d0c/parts", "/uploads/{id}/parts"),
        ("/s/secret", "/s/{id}"),
    ],
)
def test_names_hold_no_ids(path, name):
    assert naming.route(path) == name


def test_a_path_without_a_name_is_an_error():
    with pytest.raises(ValueError, match="ROUTES"):
        naming.route("/archives/7d0c")


def test_puts_have_few_names():
    names = {naming.put(2**power + extra) for power in range(31) for extra in (0, 1)}
    assert names == {
        "PUT up to 4 KiB",
        "PUT up to 64 KiB",
        "PUT up to 1 MiB",
        "PUT up to 16 MiB",
        "PUT larger",
    }


def test_not_now_is_policy_only_with_a_time():
    assert refusals.is_policy({"code": "busy", "retryAfterSeconds": 2})
    assert not refusals.is_policy({"code": "busy"})
    assert not refusals.is_policy({"code": "unavailable", "retryAfterSeconds": 2})


def test_not_now_is_not_for_ever():
    most = refusals.WAIT_SECONDS_MAX
    assert refusals.wait_seconds({"code": "busy", "retryAfterSeconds": most}) == most
    assert refusals.wait_seconds({"code": "busy", "retryAfterSeconds": most + 1}) is None
    assert not refusals.is_policy({"code": "busy", "retryAfterSeconds": most + 1})


def test_no_room_must_be_true_by_its_own_numbers():
    full = {"code": "quota_exceeded", "inUse": 95, "size": 6, "limit": 100}
    assert refusals.is_policy(full)
    assert not refusals.is_policy(full | {"inUse": 94})
    assert not refusals.is_policy({"code": "quota_exceeded"})


def test_an_empty_ledger_has_lost_nothing():
    assert judge.sets(Ledger(), Truth())["lost"] == 0


def test_the_time_that_refusals_took_is_told_by_tier():
    ledger = three()
    ledger.requests["ada", "m-1"].seconds = 10.0
    ledger.requests["ada", "m-2"].seconds = 10.0
    ledger.requests["ada", "m-2"].waited_seconds = 5.0
    ledger.open("grace", "m-1", 7).seconds = 4.0
    ledger.requests["grace", "m-1"].waited_seconds = 4.0
    assert judge.waited_shares(ledger, [ADA, GRACE]) == {"basic": 0.25, "premium": 1.0}


def test_what_is_stored_is_counted_by_tier():
    rows = [row("m-1"), row("m-2", "deleted"), row("m-3", "expired")]
    assert judge.stored_by_tier(truth(rows, ()), [ADA, GRACE]) == {"basic": 2}


def test_a_request_knows_how_long_its_user_was_busy_with_it():
    worker, books = Books(), Books()
    with worker.upload("ada", "m-1", 7) as request:
        request.md5, request.waited_seconds = "0" * 32, 0.5
    books.take(plain(worker.hand_over()))
    found = books.ledger.requests["ada", "m-1"]
    assert found.seconds > 0
    assert (found.md5, found.waited_seconds) == ("0" * 32, 0.5)


def test_a_look_asks_for_no_more_people_than_so_many():
    few, many = ["ada", "grace"], [f"user-{number}" for number in range(SAMPLED_USERS_MAX * 2)]
    assert set(sampled(few)) == set(few)
    assert sampled([]) == []
    found = sampled(many)
    assert len(found) == len(set(found)) == SAMPLED_USERS_MAX
    assert set(found) != set(sampled(many))  # others each time
