"""Each way in which storage, rows and cache can differ is found, with the command that mends it."""

import json
from dataclasses import replace

import pytest

from hoist.domain.listing import NEWEST_FIRST
from hoist.domain.model import StoredObject, file_id, s3_key
from hoist.domain.ports import Message
from hoist.pipeline.dead_letters import DeadLetters
from hoist.pipeline.doctor import Seen
from hoist.pipeline.doctor_lists import CheckLists
from hoist.pipeline.doctor_log import CheckLetters
from hoist.pipeline.doctor_storage import CheckRows, CheckStorage
from hoist.pipeline.pages import asked_by
from tests.unit.world import GRACE, LIFE_SECONDS, MIB, Meanwhile, World

ROW = "aa000000-0000-5000-8000-000000000000"
HOUR = 3600


@pytest.fixture
def world():
    return World()


@pytest.fixture
def meanwhile(world):
    return Meanwhile(world.clock)


def found(check):
    return {(one.kind, one.subject): one for one in check().findings}


@pytest.fixture
def storage(world, meanwhile):
    return CheckStorage(world.reconcile, "hoist", meanwhile, unknown_seconds=0)


def test_storage_that_agrees_is_looked_at_once(world, storage, meanwhile):
    world.stores("m-1")
    world.ask("big", size=101 * MIB, principal=GRACE)
    world.settles()
    what = "1 object and 1 upload in parts, against rows and books"
    assert storage() == Seen(what)
    assert meanwhile.waits == 0


def test_every_difference_of_storage_says_its_command(world, storage):
    gone, other = world.stores("m-1"), world.stores("m-2")
    world.ask("m-3")
    world.settles()
    del world.storage.stored[s3_key(gone)]
    world.storage.stored[s3_key(other)] = StoredObject(13, "e", 0)
    world.storage.stored[s3_key(ROW)] = StoredObject(5, "e", 0)
    world.storage.open[s3_key(ROW), "u"] = ({}, 0)
    world.clock.advance(seconds=LIFE_SECONDS + 31)
    told = {key: one.mend for key, one in found(storage).items()}
    repair = "hoist admin reconcile --repair --unknown-after 0"
    assert told.pop(("upload_overdue", file_id("ada", "m-3"))) == "python -m hoist.workers janitor"
    remove = f"aws s3 rm s3://hoist/{s3_key(other)} && {repair}"
    assert told.pop(("object_differs", other)) == remove
    assert told == {
        ("file_without_object", gone): repair,
        ("object_without_file", s3_key(ROW)): repair,
        ("open_parts", s3_key(ROW)): repair,
    }


def test_an_object_without_a_request_is_looked_for_among_the_dead_letters(world, storage):
    world.arrives(world.ask("m-1"))
    world.applies()
    world.clock.advance(seconds=LIFE_SECONDS)
    [one] = found(storage).values()
    assert (one.kind, one.mend) == ("object_unclaimed", "hoist admin dlq list")


def test_a_reservation_without_an_upload_is_found_when_the_janitor_should_have_seen_it(
    world, storage
):
    world.stores("m-1", size=12)
    books = world.books()
    held = books.reserve(ROW, 5, world.clock())
    world.store.write([(replace(held, version=books.version + 1),)])
    world.clock.advance(seconds=HOUR + 30)
    assert found(storage) == {}
    world.clock.advance(seconds=1)
    [one] = found(storage).values()
    assert (one.kind, one.subject) == ("books_differ", "ada")
    assert one.mend == "hoist admin reconcile --repair --unknown-after 0"
    for difference in world.reconcile(0):
        difference.repair()
    assert found(storage) == {}
    assert not world.books().reservations


def test_what_is_settled_between_two_looks_is_not_told(world, storage, meanwhile):
    this_file = world.stores("m-1")
    kept = world.storage.stored.pop(s3_key(this_file))
    meanwhile.then = lambda: world.storage.stored.__setitem__(s3_key(this_file), kept)
    assert found(storage) == {}
    assert meanwhile.waits == 1


def test_books_that_are_written_while_it_looks_are_not_told(world, storage, meanwhile):
    world.stores("m-1", size=12)

    def other_books(used=99):
        books = world.books()
        world.store.write([(replace(books, used_bytes=used, version=books.version + 1),)])

    other_books()
    meanwhile.then = lambda: other_books(98)
    assert found(storage) == {}
    meanwhile.then = lambda: None
    assert set(found(storage)) == {("books_differ", "ada")}


def test_the_usual_grace_is_left_out_of_the_command(world, meanwhile):
    this_file = world.stores("m-1")
    world.storage.stored.clear()
    [one] = CheckStorage(world.reconcile, "hoist", meanwhile)().findings
    assert (one.subject, one.mend) == (this_file, "hoist admin reconcile --repair")


@pytest.fixture
def rows(world):
    return CheckRows(world.store, world.store)


def test_a_row_under_another_id_than_its_own_is_told(world, rows):
    this_file = world.stores("m-1")
    world.arrives(world.ask("early"))  # whose message nobody knows yet
    world.applies()
    assert found(rows) == {}
    assert rows().what == "3 rows, each under its own id"
    wrong = replace(world.row(this_file), message_id="m-9", file_id=ROW)
    world.store.kept["ada", ROW] = wrong
    [one] = found(rows).values()
    assert (one.kind, one.subject) == ("wrong_id", f"ada/{ROW}")
    assert file_id("ada", "m-9") in one.detail
    assert one.mend == "hoist admin rebuild --into STORE"


def test_two_rows_of_one_message_are_a_duplicate(world, rows):
    this_file = world.stores("m-1")
    world.store.kept["ada", ROW] = replace(world.row(this_file), file_id=ROW)
    [one] = found(rows).values()
    assert (one.kind, one.subject) == ("duplicate", f"ada/{ROW}")
    assert this_file in one.detail


@pytest.fixture
def lists(world, meanwhile):
    return CheckLists(world.cache, world.store, world.clock, meanwhile)


def listed(world, user="ada", listing=NEWEST_FIRST):
    return world.files.list(user, listing, 2, None)


def test_pages_that_are_as_the_store_has_them_agree(world, lists, meanwhile):
    for number in range(3):
        world.stores(f"m-{number}")
    listed(world)
    listed(world, listing=replace(NEWEST_FIRST, is_trash=True))
    listed(world, "grace")
    assert lists() == Seen("3 cached pages of 2 users, against the store")
    assert meanwhile.waits == 0


def test_an_old_page_is_told_with_both_sides_and_forgotten_by_its_command(world, lists):
    first = world.stores("m-1")
    listed(world)
    world.cache.invalidate = lambda users: None  # the writer that should have died
    second = world.stores("m-2")
    [one] = found(lists).values()
    assert (one.kind, one.subject) == ("old_list", "ada")
    assert one.detail == f"the cache shows 1 files, the store 2; only in the store: {second}"
    assert one.mend == "hoist admin forget-lists ada"
    del world.cache.invalidate
    world.cache.invalidate(["ada"])
    assert found(lists) == {}
    assert first != second


def test_a_row_that_was_changed_is_a_difference(world, lists):
    this_file = world.stores("m-1")
    listed(world)
    row = world.row(this_file)
    world.store.kept["ada", this_file] = replace(row, file=replace(row.file, name="b.txt"))
    assert f"other in the store: {this_file}" in found(lists)["old_list", "ada"].detail


def test_a_row_that_was_written_once_more_is_shown_alike(world, lists):
    this_file = world.stores("m-1")
    listed(world)
    row = world.row(this_file)
    world.store.kept["ada", this_file] = replace(row, version=row.version + 1)
    assert found(lists) == {}


def test_a_page_that_would_go_on_now_is_a_difference(world, lists):
    older, *_ = [world.stores(f"m-{number}") for number in range(3)]
    gone = world.store.kept.pop(("ada", older))
    listed(world)
    world.store.kept["ada", older] = gone
    assert "another next page" in found(lists)["old_list", "ada"].detail


def test_a_page_of_a_user_with_odd_signs_can_be_forgotten_as_it_is_printed(world, lists):
    odd = replace(GRACE, user_id="auth0|it's grace")
    listed(world, odd.user_id)
    world.cache.invalidate = lambda users: None
    world.stores("m-1", principal=odd)
    [one] = found(lists).values()
    assert one.mend == """hoist admin forget-lists 'auth0|it'"'"'s grace'"""


def test_a_page_that_changes_while_it_looks_is_looked_at_again(world, lists, meanwhile):
    world.stores("m-1")
    listed(world)
    invalidate, owed = world.cache.invalidate, []
    world.cache.invalidate = owed.extend
    world.stores("m-2")
    meanwhile.then = lambda: meanwhile.waits == 3 and invalidate(owed)
    assert found(lists) == {}
    assert meanwhile.waits == 3


def test_more_pages_than_it_may_compare_are_a_sample(world, lists):
    listed(world)
    listed(world, "grace")
    assert replace(lists, pages_max=2)().what == "2 cached pages of 2 users, against the store"
    sample = "1 cached page of 1 user, a sample of more, against the store"
    assert replace(lists, pages_max=1)().what == sample


def test_a_page_of_an_older_release_says_nothing(world, lists):
    listed(world)
    [page] = world.cache.scan()
    older = {name: value for name, value in json.loads(page.body).items() if name != "listing"}
    world.cache.put("ada", page.generation, page.name, json.dumps(older | {"records": []}).encode())
    world.store.kept |= {("ada", ROW): world.row(world.stores("m-1", principal=GRACE), "grace")}
    assert asked_by(next(iter(world.cache.scan())).body) is None
    assert found(lists) == {}


@pytest.mark.parametrize("asked", [{"colour": "red"}, {"order": "colour"}])
def test_a_page_of_a_newer_release_that_asks_for_more_says_nothing(world, lists, asked):
    listed(world)
    [page] = world.cache.scan()
    kept = json.loads(page.body)
    listing = json.dumps(json.loads(kept["listing"]) | asked)
    newer = json.dumps(kept | {"listing": listing}).encode()
    world.cache.put("ada", page.generation, page.name, newer)
    world.store.kept |= {("ada", ROW): world.row(world.stores("m-1", principal=GRACE), "grace")}
    assert next(iter(world.cache.scan())).body == newer
    assert found(lists) == {}


def test_dead_letters_are_counted_by_group_and_error(world):
    for error in (b"Unavailable", b"Malformed", b"Unavailable"):
        headers = [("hoist-origin-topic", b"hoist.ingest.basic"), ("hoist-error-class", error)]
        world.log.append([Message("hoist.upload-basic.dlq", "ada", b"{}", headers)])
    desk = DeadLetters(world.log, world.log, lambda letter: None, world.clock)
    told = CheckLetters(desk)()
    assert told.what == "3 dead letters open"
    assert [(one.subject, one.detail, one.mend) for one in told.findings] == [
        (
            "upload-basic",
            "1 record nobody could handle: Malformed",
            "hoist admin dlq list --group upload-basic --error Malformed",
        ),
        (
            "upload-basic",
            "2 records nobody could handle: Unavailable",
            "hoist admin dlq replay --group upload-basic --error Unavailable",
        ),
    ]
    for number in range(3):
        desk.drop(f"upload-basic:{number}", "a test", "root")
    assert CheckLetters(desk)() == Seen("0 dead letters open")
