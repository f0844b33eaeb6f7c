"""Parts, their signatures, joining and resuming; cancelling and the janitor; progress."""

import pytest

from hoist.domain.errors import InvalidRequest, NotFound, NotInParts, PartsMissing
from hoist.domain.frames import WantedPart
from hoist.domain.listing import NEWEST_FIRST
from hoist.domain.model import Status, s3_key
from tests.unit.world import GRACE, LIFE_SECONDS, MIB, TRACE, World

PART = 8 * MIB
SIZE = 100 * MIB + 1  # 13 parts


@pytest.fixture
def world():
    return World()


@pytest.fixture
def large(world):
    """The id of an upload of grace's in 13 parts, with its URL granted."""
    this_file = world.ask("big", size=SIZE, principal=GRACE)
    world.settles()
    return this_file


def sign(world, this_file, *numbers, user="grace"):
    return world.send_parts.sign(user, this_file, [WantedPart(number=n) for n in numbers], TRACE)


def send(world, this_file, numbers=range(1, 14)):
    for number in numbers:
        world.storage.put_part(world.row(this_file, "grace"), number)


def finish(world, this_file):
    world.send_parts.complete("grace", this_file)
    found = world.storage.stored[s3_key(this_file)]
    world.arrives(this_file, found.size)
    world.applies()


def test_a_large_file_is_offered_in_parts_and_a_small_one_is_not(world, large):
    [ready] = world.heard("upload.ready", "grace")
    assert ready["parts"] == {"size": PART, "count": 13, "stored": []}
    assert "upload" not in ready
    small = world.ask("small", size=100 * MIB, principal=GRACE)
    world.settles()
    assert "upload" in world.upload(small, "grace")
    assert "parts" not in world.upload(small, "grace")


def test_parts_are_signed_in_batches_and_only_those_there_are(world, large):
    assert [part["number"] for part in sign(world, large, 1, 13)] == [1, 13]
    with pytest.raises(InvalidRequest, match="1 to 13"):
        sign(world, large, 14)
    with pytest.raises(NotFound):
        sign(world, large, 1, user="ada")


def test_a_part_checksum_is_wanted_exactly_when_it_was_announced(world, large):
    with pytest.raises(InvalidRequest, match="without"):
        parts = [WantedPart(number=1, checksum_sha256="A" * 43 + "=")]
        world.send_parts.sign("grace", large, parts, TRACE)
    sealed = world.ask("sealed", size=SIZE, principal=GRACE, part_checksums=True)
    world.settles()
    with pytest.raises(InvalidRequest, match="needs"):
        sign(world, sealed, 1)


def test_joining_wants_every_part_in_its_length(world, large):
    send(world, large, range(1, 12))
    world.storage.put_part(world.row(large, "grace"), 12, size=7)
    with pytest.raises(PartsMissing) as caught:
        world.send_parts.complete("grace", large)
    assert caught.value.details() == {"missing": [12, 13], "missingCount": 2}
    send(world, large, [12, 13])
    finish(world, large)
    assert world.row(large, "grace").status is Status.STORED
    world.send_parts.complete("grace", large)  # again


def test_a_repeat_tells_which_parts_are_there(world, large):
    send(world, large, [1, 3])
    world.ask("big", size=SIZE, principal=GRACE)
    world.grants("hoist.ingest.premium")
    stored = world.heard("upload.ready", "grace")[-1]["parts"]["stored"]
    assert [part["number"] for part in stored] == [1, 3]
    view = world.upload(large, "grace")
    assert [part["number"] for part in view["parts"]["stored"]] == [1, 3]
    assert view["progress"] == {"phase": "uploading", "bytesSent": 2 * PART, "bytesTotal": SIZE}
    assert world.storage.begun == 1


def test_signing_gives_an_upload_a_longer_life(world, large):
    for _ in range(4):
        world.clock.advance(seconds=LIFE_SECONDS - 1)
        sign(world, large, 1)
        world.applies()
        world.janitor()
        world.applies()
        assert world.row(large, "grace").status is Status.PENDING
        assert world.books("grace").reserved_bytes == SIZE
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    world.applies()
    assert world.row(large, "grace").status is Status.EXPIRED


def test_signing_often_costs_no_event_each_time(world, large):
    before = len(world.log.of("hoist.metadata"))
    for _ in range(50):
        sign(world, large, 1)
    assert len(world.log.of("hoist.metadata")) == before


def test_an_expired_upload_leaves_no_parts_and_begins_again_under_its_id(world, large):
    send(world, large, [1])
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    world.applies()
    assert world.storage.open == {}
    with pytest.raises(NotInParts):
        sign(world, large, 1)
    world.grants("hoist.ingest.premium")  # an old request, delivered again
    assert world.heard("upload.expired", "grace")
    assert world.storage.open == {}
    assert world.ask("big", size=SIZE, principal=GRACE) == large
    world.settles()
    assert world.row(large, "grace").status is Status.PENDING
    send(world, large)
    finish(world, large)
    assert world.row(large, "grace").status is Status.STORED
    assert (world.books("grace").used_bytes, world.books("grace").reservations) == (SIZE, {})


def test_the_janitor_joins_parts_whose_client_never_said_complete(world, large):
    send(world, large)
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    world.applies()
    assert world.row(large, "grace").status is Status.STORED


def test_the_janitor_leaves_an_upload_that_goes_on_for_days(world, large):
    for _ in range(3 * 24 * 4):
        world.clock.advance(seconds=900)
        world.send_parts.sign("grace", large, [WantedPart(number=1)], TRACE)
        world.applies()
        assert world.janitor.abort_orphans() == 0
    assert world.row(large, "grace").status is Status.PENDING
    assert len(world.storage.open) == 1


def test_the_janitor_aborts_open_parts_that_no_row_knows(world, large):
    world.storage.begin(world.row(large, "grace"))  # a crash before it was recorded
    assert world.janitor.abort_orphans() == 0
    world.clock.advance(seconds=LIFE_SECONDS)
    assert world.janitor.abort_orphans() == 1
    assert [upload_id for _, upload_id in world.storage.open] == ["u-1"]


def test_cancelling_leaves_nothing_behind_and_is_final(world, large):
    send(world, large, [1])
    world.cancel("grace", large, TRACE)
    world.applies()
    assert world.storage.open == {}
    assert world.heard("upload.cancelled", "grace")[-1]["fileId"] == large
    assert world.upload(large, "grace")["state"] == "cancelled"
    world.cancel("grace", large, TRACE)
    world.ask("big", size=SIZE, principal=GRACE)
    world.settles()
    assert world.codes("grace") == ["upload_cancelled"]
    assert world.files.list("grace", NEWEST_FIRST, None, None)["files"] == []


def test_a_request_cancelled_in_the_queue_never_becomes_an_upload(world):
    this_file = world.ask("m-1")
    world.cancel("ada", this_file, TRACE)
    world.applies()
    world.grants()
    world.applies()
    assert world.row(this_file).status is Status.CANCELLED
    assert world.books().reservations == {}


def test_a_cancel_that_overtakes_the_grant_gives_the_room_back(world):
    this_file = world.ask("m-1")
    world.grants()
    world.cancel("ada", this_file, TRACE)
    [requested, cancelled] = world.records("hoist.metadata")
    world.log.messages = [m for m in world.log.messages if m.topic != "hoist.metadata"]
    for record in (cancelled, requested):
        from_log = [type(record)("hoist.metadata", 0, 0, record.key, record.value, record.headers)]
        world.apply_records(from_log)
    assert world.row(this_file).status is Status.CANCELLED
    assert world.books().reservations == {}


def test_bytes_that_arrive_for_a_cancelled_upload_are_discarded(world):
    this_file = world.ask("m-1")
    world.settles()
    world.cancel("ada", this_file, TRACE)
    world.applies()
    world.arrives(this_file)
    world.applies()
    assert world.storage.stored == {}
    assert world.books().used_bytes == 0


def test_nobody_cancels_what_is_not_theirs_or_not_there(world, large):
    for user, name in (("ada", large), ("grace", "00000000-0000-5000-8000-000000000000")):
        with pytest.raises(NotFound):
            world.cancel(user, name, TRACE)


def test_bytes_after_expiry_are_kept_only_where_they_fit():
    world = World(storageQuota=20)
    late, kept = world.ask("m-1", size=12), None
    world.settles()
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    world.applies()
    kept = world.stores("m-2", size=12)
    world.arrives(late, 12)
    world.applies()
    assert world.row(kept).status is Status.STORED
    assert world.row(late).status is Status.REJECTED
    assert world.books().used_bytes == 12
    assert list(world.storage.stored) == [s3_key(kept)]


def test_progress_goes_to_every_device_and_is_not_kept(world):
    this_file = world.ask("m-1", size=100)
    world.settles()
    for sent in (10, 50, 500):
        world.track("ada", this_file, sent, TRACE)
        world.clock.advance(seconds=1)
    told = [e for e in world.events.published if e.body["event"] == "upload.progress"]
    assert [event.body["progress"]["bytesSent"] for event in told] == [10, 50, 100]
    assert {event.connection_id for event in told} == {None}
    assert world.heard("upload.progress") == []
    assert world.upload(this_file)["progress"]["bytesSent"] == 100


def test_progress_of_parts_is_what_storage_has_whatever_the_client_says(world, large):
    send(world, large, [1, 2])
    world.track("grace", large, 10**12, TRACE)
    assert world.upload(large, "grace")["progress"]["bytesSent"] == 2 * PART


def test_reports_that_come_too_often_are_not_passed_on(world):
    this_file = world.ask("m-1", size=100)
    world.settles()
    for sent in range(1, 60):
        world.track("ada", this_file, sent, TRACE)
    told = [e for e in world.events.published if e.body["event"] == "upload.progress"]
    assert len(told) == 1


def test_the_phases_of_an_upload_in_order(world):
    this_file = world.ask("m-1")
    phases = [world.upload(this_file)["state"]]
    world.settles()
    phases.append(world.upload(this_file)["progress"]["phase"])
    world.track("ada", this_file, 6, TRACE)
    phases.append(world.upload(this_file)["progress"]["phase"])
    world.arrives(this_file)
    phases.append(world.upload(this_file)["progress"]["phase"])
    world.applies()
    phases.append(world.upload(this_file)["progress"]["phase"])
    assert phases == ["accepted", "ready", "uploading", "stored", "recorded"]


def test_a_report_renews_the_lease():
    world = World(concurrentUploads=1)
    this_file = world.ask("m-1")
    world.settles()
    for _ in range(3):
        world.clock.advance(seconds=100)
        world.track("ada", this_file, 1, TRACE)
    world.ask("m-2")
    world.settles()
    assert world.codes() == ["too_many_uploads"]


def test_the_place_in_the_queue_is_told_once_the_pace_is_known(world):
    assert "queue" not in world.last_accepted("m-1")
    world.grants()
    world.ask("m-2")
    queue = world.last_accepted("m-3")["queue"]
    assert queue["position"] == 1
    assert queue["waitSeconds"] > 0
