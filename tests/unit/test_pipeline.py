"""The steps on in-memory twins: repeats, conflicts, refusals, faults, and what the client hears."""

import pytest

from hoist.domain.errors import InvalidCursor, InvalidRequest, NotFound, NotStored, Unavailable
from hoist.domain.listing import NEWEST_FIRST
from hoist.domain.messages import envelope_from_json
from hoist.domain.model import file_id, s3_key
from hoist.domain.ports import Received
from hoist.pipeline.delivery import Delivery
from tests.unit.world import TRACE, World


@pytest.fixture
def world():
    return World()


def test_a_request_becomes_a_url_a_row_and_a_stored_file(world):
    this_file = world.ask()
    world.grants()
    world.applies()
    assert world.upload(this_file)["state"] == "ready"
    assert world.arrives(this_file) == []
    world.applies()
    [stored] = world.heard("upload.stored")
    assert stored["fileId"] == this_file
    assert TRACE in stored["traceparent"]
    [listed] = world.files.list("ada", NEWEST_FIRST, None, None)["files"]
    assert listed["status"] == "stored"
    assert listed["downloadUrl"] == f"get:{s3_key(this_file)}"


def test_an_accepted_request_can_be_looked_up_before_anybody_handled_it(world):
    assert world.upload(world.ask())["state"] == "accepted"


def test_a_repeat_gets_the_same_answer_and_leaves_one_row(world):
    for _ in range(3):
        world.ask()
    world.grants()
    world.grants()
    world.applies()
    world.applies()
    assert len({event["fileId"] for event in world.heard("upload.ready")}) == 1
    assert len(world.log.of("hoist.metadata")) == 1
    assert len(world.files.list("ada", NEWEST_FIRST, None, None)["files"]) == 1


def test_a_repeat_after_the_fast_path_was_lost_is_still_the_same_file(world):
    this_file = world.ask()
    world.grants()
    world.applies()
    world.answers.__init__()
    world.ask()
    world.grants()
    assert len(world.log.of("hoist.metadata")) == 1
    assert {event["fileId"] for event in world.heard("upload.ready")} == {this_file}


@pytest.mark.parametrize("is_flushed", [False, True])
def test_the_same_message_id_for_another_file_is_a_conflict_and_first_wins(world, is_flushed):
    this_file = world.ask(name="a.txt")
    world.grants()
    world.applies()
    if is_flushed:
        world.answers.__init__()
    world.ask(name="b.txt")
    world.grants()
    world.applies()
    assert world.heard("upload.rejected")[-1]["error"]["code"] == "message_id_conflict"
    assert world.files.get("ada", this_file)["name"] == "a.txt"


def test_a_file_over_the_limit_is_refused_and_leaves_no_trace(world):
    this_file = world.ask(size=100 * 1024**2 + 1)
    world.grants()
    [refused] = world.heard("upload.rejected")
    assert refused["error"]["code"] == "file_too_large"
    assert world.log.of("hoist.metadata") == []
    assert world.books().reservations == {}
    assert world.upload(this_file)["state"] == "rejected"
    with pytest.raises(NotFound):
        world.files.get("ada", this_file)


def test_an_impossible_request_never_reaches_the_log(world):
    with pytest.raises(InvalidRequest):
        world.ask(size=0)
    assert world.log.of("hoist.ingest.basic") == []


def test_poison_is_set_aside_whole_and_its_neighbours_are_done(world):
    world.ask()
    good = world.records("hoist.ingest.basic")
    poison = Received("hoist.ingest.basic", 3, 7, None, b"\xffpoison", (("h", b"v"),))
    delivery = Delivery(world.log, "upload-basic", world.clock, lambda: world.is_up)
    assert delivery.run([poison, *good], envelope_from_json, world.grant) == []
    [letter] = world.log.of("hoist.upload-basic.dlq")
    headers = dict(letter.headers)
    assert letter.value == b"\xffpoison"
    assert headers["hoist-origin-partition"] == b"3"
    assert headers["hoist-origin-offset"] == b"7"
    assert headers["h"] == b"v"
    assert len(world.heard("upload.ready")) == 1


def test_a_record_that_trips_a_bug_is_found_among_its_neighbours(world):
    for number in range(7):
        world.ask(f"m-{number}")
    world.is_up = True

    def step(items):
        if any(item.message.message_id == "m-3" for item in items):
            raise KeyError("a bug")
        world.grant(items)

    delivery = Delivery(world.log, "upload-basic", world.clock, lambda: world.is_up)
    assert delivery.run(world.records("hoist.ingest.basic"), envelope_from_json, step) == []
    [letter] = world.log.of("hoist.upload-basic.dlq")
    assert dict(letter.headers)["hoist-error-class"] == b"KeyError"
    assert {event["messageId"] for event in world.heard("upload.ready")} == {
        f"m-{number}" for number in range(7) if number != 3
    }


def test_an_outage_puts_the_batch_back_and_sets_nothing_aside(world):
    world.ask()

    def step(items):
        raise Unavailable("the store is down")

    delivery = Delivery(world.log, "upload-basic", world.clock, lambda: world.is_up)
    records = world.records("hoist.ingest.basic")
    assert delivery.run(records, envelope_from_json, step) == records
    assert world.log.of("hoist.upload-basic.dlq") == []


def test_an_object_whose_request_is_unknown_is_asked_about_again(world):
    this_file = file_id("ada", "m-1")
    [unknown] = world.arrives(this_file)
    assert unknown.key == s3_key(this_file)
    world.ask()
    world.grants()
    assert world.arrives(this_file) == []
    world.applies()
    assert world.files.get("ada", this_file)["status"] == "stored"


def test_another_size_in_storage_is_rejected_and_told(world):
    this_file = world.ask(size=12)
    world.grants()
    world.arrives(this_file, size=13)
    world.applies()
    assert world.heard("upload.rejected")[0]["error"]["code"] == "content_differs"
    with pytest.raises(NotStored):
        world.files.download_url("ada", this_file, TRACE)


def test_the_janitor_expires_what_was_never_sent(world):
    this_file = world.ask()
    world.grants()
    world.applies()
    assert world.janitor() == 0
    world.clock.advance(seconds=900 + 30)
    assert world.janitor() == 1
    world.applies()
    assert world.upload(this_file)["state"] == "expired"
    assert len(world.heard("upload.expired")) == 1
    assert world.janitor() == 0


def test_another_user_finds_nothing(world):
    this_file = world.ask()
    looks = (
        world.look,
        world.files.get,
        lambda user, name: world.files.download_url(user, name, TRACE),
        world.history.timeline,
        world.history.downloads,
    )
    for look in looks:
        with pytest.raises(NotFound):
            look("grace", this_file)
    world.grants()
    world.applies()
    for look in looks:
        with pytest.raises(NotFound):
            look("grace", this_file)
    assert world.files.list("grace", NEWEST_FIRST, None, None)["files"] == []


def test_pages_are_newest_first_and_a_cached_page_is_never_stale(world):
    for number in range(5):
        world.ask(f"m-{number}")
        world.clock.advance(seconds=1)
    world.grants()
    world.applies()
    names = []
    cursor = None
    for _ in range(3):
        page = world.files.list("ada", NEWEST_FIRST, 2, cursor)
        names += [file["messageId"] for file in page["files"]]
        cursor = page["nextCursor"]
    assert names == ["m-4", "m-3", "m-2", "m-1", "m-0"]
    assert cursor is None
    world.ask("m-5")
    world.grants()
    world.applies()
    assert world.files.list("ada", NEWEST_FIRST, 2, None)["files"][0]["messageId"] == "m-5"


def test_a_page_that_is_read_just_before_a_write_does_not_survive_it(world):
    this_file = world.ask("m-1")
    world.grants()
    write, seen = world.store.write, []

    def read_then_write(changes):
        seen.append(world.files.list("ada", NEWEST_FIRST, None, None)["files"])
        return write(changes)

    world.store.write = read_then_write
    world.applies()
    assert seen == [[]]
    [file] = world.files.list("ada", NEWEST_FIRST, None, None)["files"]
    assert file["fileId"] == this_file


def test_a_cursor_opens_only_as_it_was_made(world):
    for number in range(3):
        world.ask(f"m-{number}")
    world.grants()
    world.applies()
    cursor = world.files.list("ada", NEWEST_FIRST, 1, None)["nextCursor"]
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        with pytest.raises(InvalidCursor):
            world.files.list("ada", NEWEST_FIRST, 1, cursor[:place] + other + cursor[place + 1 :])
    for wrong in ("", "x", cursor + "A", "é", cursor * 50):
        if wrong:
            with pytest.raises(InvalidCursor):
                world.files.list("ada", NEWEST_FIRST, 1, wrong)
    with pytest.raises(InvalidCursor):
        world.files.list("grace", NEWEST_FIRST, 1, cursor)
    world.clock.advance(seconds=25 * 3600)
    with pytest.raises(InvalidCursor):
        world.files.list("ada", NEWEST_FIRST, 1, cursor)


@pytest.mark.parametrize("limit", [0, -1, 201, 10**9])
def test_a_limit_outside_1_to_200_is_refused(world, limit):
    with pytest.raises(InvalidRequest):
        world.files.list("ada", NEWEST_FIRST, limit, None)
