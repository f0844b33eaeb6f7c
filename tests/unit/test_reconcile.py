"""Every kind of difference between storage, rows and books is found, told and mended."""

from dataclasses import replace

import pytest

from hoist.domain.model import Status, StoredObject, s3_key
from hoist.domain.ports import Message
from hoist.pipeline.change import Delete
from tests.unit.world import GRACE, LIFE_SECONDS, MIB, TRACE, World


@pytest.fixture
def world():
    return World()


def kinds(world, unknown_seconds=0):
    return sorted(difference.kind for difference in world.reconcile(unknown_seconds))


def mend(world):
    for difference in world.reconcile(0):
        if difference.repair:
            difference.repair()
    world.applies()


def test_when_all_agree_nothing_is_found(world):
    world.stores("m-1")
    world.ask("m-2")
    world.ask("big", size=101 * MIB, principal=GRACE)
    world.settles()
    assert kinds(world) == []
    world.clock.advance(seconds=LIFE_SECONDS + 60)
    world.janitor()
    world.applies()
    assert kinds(world) == []


def test_an_object_nobody_asked_for_is_deleted_once_it_is_old(world):
    key = s3_key("aa000000-0000-5000-8000-000000000000")
    world.storage.stored[key] = StoredObject(5, "e", world.clock())
    assert kinds(world) == []
    world.clock.advance(seconds=LIFE_SECONDS)
    assert kinds(world) == ["object_without_file"]
    mend(world)
    assert world.storage.stored == {}
    assert kinds(world) == []


@pytest.mark.parametrize("size", [12, 101 * MIB])
def test_what_the_log_knows_is_kept_when_its_row_is_lost(world, size):
    this_file = world.ask("m-1", size=size, principal=GRACE)
    world.settles()
    if size == 12:
        world.arrives(this_file)
    world.applies()
    del world.store.kept["grace", this_file]
    kept = dict(world.storage.stored), dict(world.storage.open)
    world.clock.advance(seconds=LIFE_SECONDS)
    [one] = [one for one in world.reconcile(0) if one.kind != "books_differ"]
    assert (one.kind, one.subject, one.repair) == ("row_lost", this_file, None)
    mend(world)
    assert (world.storage.stored, world.storage.open) == kept


def test_what_a_newer_release_tells_of_is_kept_as_well(world):
    key = s3_key("aa000000-0000-5000-8000-000000000000")
    told = b'{"type":"file.requested","version":99,"userId":"ada","fileId":"%s"}'
    told %= b"aa000000-0000-5000-8000-000000000000"
    world.log.append([Message("hoist.metadata", "ada", told, [])])
    world.storage.stored[key] = StoredObject(5, "e", world.clock())
    world.clock.advance(seconds=LIFE_SECONDS)
    assert kinds(world) == ["row_lost"]


def test_an_object_of_a_cancelled_upload_is_deleted(world):
    this_file = world.ask("m-1")
    world.settles()
    world.cancel("ada", this_file, TRACE)
    world.applies()
    world.storage.stored[s3_key(this_file)] = StoredObject(12, "e", world.clock())
    world.clock.advance(seconds=LIFE_SECONDS)
    assert kinds(world) == ["object_without_file"]


def test_an_object_whose_event_was_lost_is_recorded(world):
    this_file = world.ask("m-1")
    world.settles()
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    world.applies()
    assert world.row(this_file).status is Status.EXPIRED
    world.storage.stored[s3_key(this_file)] = StoredObject(12, "e", 0)
    assert kinds(world) == ["object_not_recorded"]
    mend(world)
    assert world.row(this_file).status is Status.STORED
    assert kinds(world) == []


def test_a_file_whose_object_is_gone_is_marked_missing(world):
    this_file = world.stores("m-1")
    world.storage.stored.clear()
    assert kinds(world) == ["file_without_object"]
    mend(world)
    assert world.row(this_file).status is Status.MISSING
    assert world.books().used_bytes == 0
    assert kinds(world) == []


def test_an_object_that_was_replaced_is_told(world):
    this_file = world.stores("m-1", size=12)
    world.storage.stored[s3_key(this_file)] = StoredObject(13, "e", world.clock())
    assert kinds(world) == ["object_differs"]


def test_open_parts_that_no_row_knows_are_aborted(world):
    this_file = world.ask("big", size=101 * MIB, principal=GRACE)
    world.settles()
    world.storage.begin(world.row(this_file, "grace"))
    world.clock.advance(seconds=LIFE_SECONDS - 1)
    assert kinds(world) == []
    world.clock.advance(seconds=1)
    assert kinds(world) == ["open_parts"]
    mend(world)
    assert [upload_id for _, upload_id in world.storage.open] == ["u-1"]


def test_an_upload_the_janitor_did_not_settle_is_told(world):
    world.ask("m-1")
    world.settles()
    world.clock.advance(seconds=LIFE_SECONDS + 31)
    assert kinds(world) == ["upload_overdue"]


def test_wrong_books_are_written_anew(world):
    world.stores("m-1", size=12)
    books = world.books()
    wrong = replace(books.reserve("gone", 5, 0), used_bytes=99, version=books.version + 1)
    world.store.write([(wrong,)])
    assert kinds(world) == ["books_differ"]
    mend(world)
    assert world.books().used_bytes == 12
    assert kinds(world) == []


def test_books_that_moved_on_meanwhile_are_not_mended(world):
    world.stores("m-1", size=12)
    books = world.books()
    world.store.write([(replace(books, used_bytes=99, version=books.version + 1),)])
    [late], [one] = world.reconcile(), world.reconcile()
    assert one.repair()
    assert not late.repair()
    assert world.books().used_bytes == 12


def test_two_runs_at_once_mend_each_difference_once(world):
    this_file = world.stores("m-1")
    world.storage.stored.clear()
    first, second = list(world.reconcile()), list(world.reconcile())
    for difference in first + second:
        if difference.repair:
            difference.repair()
    world.applies()
    assert world.row(this_file).version == 3
    assert kinds(world) == []


def test_what_is_in_the_trash_is_as_it_should_be(world):
    this_file = world.stores("m-1", size=12)
    world.change("ada", this_file, Delete(), TRACE)
    world.clock.advance(seconds=2 * 24 * 3600)
    assert list(world.reconcile()) == []
