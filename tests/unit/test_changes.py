"""Names, the trash and back: the first change of a revision wins, and the other is told."""

import json

import pytest

from hoist.domain.errors import NotFound, NotStored, PreconditionFailed
from hoist.domain.listing import NEWEST_FIRST, Listing
from hoist.domain.metadata import metadata_event_from_json
from hoist.domain.model import Status, Visibility, s3_key
from hoist.pipeline.change import Delete, Edit, Restore
from hoist.pipeline.delivery import Item
from hoist.pipeline.fold import by_row
from tests.unit.world import TRACE, World

TRASH = Listing(is_trash=True)


@pytest.fixture
def world():
    return World(storageQuota=30, trashSeconds=3600)


def names(world, listing=NEWEST_FIRST):
    return [file["name"] for file in world.files.list("ada", listing, None, None)["files"]]


def change(world, this_file, wish, user="ada", revision=None, key=None):
    return world.change(user, this_file, wish, TRACE, if_revision=revision, key=key)


def test_a_file_is_renamed_moved_and_published_at_once_in_every_list(world):
    this_file = world.stores("m-1")
    names(world)  # now there is a page in the cache
    row = change(world, this_file, Edit("b.txt", "docs", Visibility.PUBLIC))
    assert (row.file.name, row.file.folder, row.file.visibility) == ("b.txt", "docs", "public")
    assert row.revision == 1
    assert names(world) == ["b.txt"]
    assert names(world, Listing(folder="docs")) == ["b.txt"]
    [told] = world.heard("file.changed")
    assert told["file"]["name"] == "b.txt"


def test_a_change_is_an_event_in_the_log(world):
    this_file = world.stores("m-1")
    change(world, this_file, Edit(name="b.txt"))
    event = metadata_event_from_json(world.log.of("hoist.metadata")[-1].value)
    assert (event.type, event.name, event.revision) == ("file.changed", "b.txt", None)


def test_of_two_changes_of_one_revision_the_first_wins_and_the_other_is_told(world):
    this_file = world.stores("m-1")
    assert change(world, this_file, Edit("first"), revision=0).file.name == "first"
    with pytest.raises(PreconditionFailed) as refused:
        change(world, this_file, Edit("second"), revision=0)
    assert refused.value.details() == {"revision": 1}
    assert names(world) == ["first"]


def slow(world, sleep):
    """The same step, which looks at the row only as *sleep* lets it."""
    fields = {f: getattr(world.change, f) for f in world.change.__dataclass_fields__}
    return world.change.__class__(**{**fields, "sleep": sleep})


def test_a_race_in_the_log_is_decided_there_and_the_loser_is_told(world):
    """Both saw revision 0, and both events are in the log before either is applied."""
    this_file = world.stores("m-1")
    never = slow(world, lambda _: None)
    for name in ("first", "second"):
        assert never("ada", this_file, Edit(name), TRACE, if_revision=0) is None
    world.applies()
    assert names(world) == ["first"]
    [refused] = world.heard("file.change_refused")
    assert (refused["error"]["code"], refused["error"]["revision"]) == ("precondition_failed", 1)


def test_a_change_asked_for_twice_with_one_key_is_one_and_is_answered_twice(world):
    this_file = world.stores("m-1")
    for _ in range(2):
        assert change(world, this_file, Edit("b"), revision=0, key="k-1").revision == 1
    assert change(world, this_file, Delete(), key="k-2").status is Status.DELETED
    assert change(world, this_file, Delete(), key="k-2").status is Status.DELETED
    assert world.row(this_file).revision == 2


def test_whoever_changed_a_file_sees_it_in_the_list_before_the_handler_ends_its_batch(world):
    this_file = world.stores("m-1")
    names(world)
    world.apply_records = lambda records: world.apply.fold(by_row(items_of(records)))
    change(world, this_file, Edit("b.txt"))
    assert names(world) == ["b.txt"]


def items_of(records):
    return [Item(metadata_event_from_json(record.value), TRACE, record) for record in records]


def test_a_file_made_private_stays_so_when_its_lost_bytes_are_sent_again(world):
    this_file = world.stores("m-1", visibility="public")
    change(world, this_file, Edit("mine.txt", visibility=Visibility.PRIVATE))
    del world.storage.stored[s3_key(this_file)]
    for difference in world.reconcile():
        difference.repair()
    world.applies()
    assert world.row(this_file).status is Status.MISSING
    world.clock.advance(seconds=2000)
    world.ask("m-1", visibility="public")
    world.settles()
    world.arrives(this_file)
    world.applies()
    file = world.files.get("ada", this_file)
    assert (file["status"], file["name"], file["visibility"]) == ("stored", "mine.txt", "private")


def test_cancelling_what_is_in_the_trash_purges_it(world):
    this_file = world.stores("m-1")
    change(world, this_file, Delete())
    world.cancel("ada", this_file, TRACE)
    world.applies()
    assert world.row(this_file).status is Status.PURGED
    assert world.heard("upload.cancelled")


def test_without_a_revision_a_change_is_made_on_whatever_is_there(world):
    this_file = world.stores("m-1")
    change(world, this_file, Edit("first"))
    assert change(world, this_file, Edit("second")).revision == 2
    assert names(world) == ["second"]


def test_a_change_that_is_delivered_again_is_no_second_one(world):
    this_file = world.stores("m-1")
    change(world, this_file, Edit("first"))
    change(world, this_file, Edit("second"))
    world.applies()  # everything once more
    assert world.row(this_file).revision == 2
    assert names(world) == ["second"]


def test_a_renamed_file_is_still_the_answer_to_its_messageId(world):
    this_file = world.stores("m-1")
    change(world, this_file, Edit("other.txt", visibility=Visibility.PUBLIC))
    world.answers._answers.clear()
    assert world.ask("m-1") == this_file
    world.settles()
    assert world.codes() == []
    assert names(world) == ["other.txt"]


def test_the_trash_keeps_a_file_and_its_bytes_and_gives_it_back(world):
    this_file = world.stores("m-1", size=12)
    row = change(world, this_file, Delete())
    assert row.purge_after_ms == world.clock() + 3600_000
    assert (names(world), names(world, TRASH)) == ([], ["a.txt"])
    assert s3_key(this_file) in world.storage.stored
    assert world.books().used_bytes == 12
    with pytest.raises(NotFound):
        world.files.get("ada", this_file)
    assert change(world, this_file, Restore()).status is Status.STORED
    assert (names(world), names(world, TRASH)) == (["a.txt"], [])
    assert [len(world.heard(f"file.{what}")) for what in ("deleted", "restored")] > [0, 0]


def test_the_janitor_purges_the_trash_after_its_time_and_frees_the_room(world):
    this_file = world.stores("m-1", size=12)
    change(world, this_file, Delete())
    world.clock.advance(seconds=3599)
    world.janitor()
    world.applies()
    assert world.row(this_file).status is Status.DELETED
    world.clock.advance(seconds=2)
    world.janitor()
    world.applies()
    assert world.row(this_file).status is Status.PURGED
    assert (names(world, TRASH), world.storage.stored, world.books().used_bytes) == ([], {}, 0)
    assert len(world.heard("file.purged")) == 1
    with pytest.raises(NotFound):
        change(world, this_file, Restore())


def test_a_restore_that_comes_before_the_purge_wins(world):
    this_file = world.stores("m-1", size=12)
    change(world, this_file, Delete())
    world.clock.advance(seconds=3601)
    change(world, this_file, Restore())
    world.janitor()
    world.applies()
    assert names(world) == ["a.txt"]
    assert s3_key(this_file) in world.storage.stored


@pytest.mark.parametrize("is_in_trash", [False, True])
def test_permanently_is_gone_at_once(world, is_in_trash):
    this_file = world.stores("m-1", size=12)
    if is_in_trash:
        change(world, this_file, Delete())
    assert change(world, this_file, Delete(is_permanent=True)).status is Status.PURGED
    assert (world.storage.stored, world.books().used_bytes) == ({}, 0)
    assert names(world, TRASH) == []


def test_what_ended_without_bytes_leaves_the_list_at_once(world):
    this_file = world.ask("m-1", size=12)
    world.settles()
    world.arrives(this_file, size=13)
    world.applies()
    assert world.row(this_file).status is Status.REJECTED
    assert change(world, this_file, Delete()).status is Status.PURGED
    assert (names(world), names(world, TRASH)) == ([], [])


@pytest.mark.parametrize("wish", [Edit("b"), Delete(), Restore(), Delete(is_permanent=True)])
def test_a_file_of_somebody_else_and_one_that_never_was_are_alike(world, wish):
    this_file = world.stores("m-1")
    told = set()
    for name in (this_file, this_file[::-1], "short"):
        with pytest.raises(NotFound) as refused:
            change(world, name, wish, user="grace")
        told.add(str(refused.value))
    assert len(told) == 1
    assert names(world) == ["a.txt"]


def test_what_is_not_stored_is_neither_renamed_nor_deleted(world):
    this_file = world.ask("m-1")
    world.settles()
    for wish in (Edit("b"), Delete(), Restore()):
        with pytest.raises(NotStored):
            change(world, this_file, wish)


def test_a_change_that_takes_too_long_is_told_as_under_way(world):
    this_file = world.stores("m-1")
    assert slow(world, lambda _: None)("ada", this_file, Edit("late"), TRACE) is None
    world.applies()
    assert names(world) == ["late"]


def test_every_step_of_a_life_is_on_the_timeline_with_its_place_in_the_log(world):
    this_file = world.stores("m-1")
    change(world, this_file, Edit("b"))
    change(world, this_file, Delete())
    world.applies()
    steps = world.history.timeline("ada", this_file)["steps"]
    assert [step["step"] for step in steps] == [
        "upload.accepted",
        "file.requested",
        "file.stored",
        "file.changed",
        "file.deleted",
    ]
    assert [step["topic"] for step in steps] == ["hoist.ingest.basic", *["hoist.metadata"] * 4]
    assert [step["offset"] for step in steps] == [0, 0, 1, 2, 3]
    assert all(step["worker"] and step["recordedBy"] and step["traceId"] for step in steps)
    assert "steps" not in json.dumps(world.files.list("ada", NEWEST_FIRST, None, None))
