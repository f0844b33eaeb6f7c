"""Orders of events that go wrong easily: crashes, redeliveries, late and early things."""

from dataclasses import replace

import pytest

from hoist.domain.account import Account
from hoist.domain.errors import InvalidRequest, Unavailable
from hoist.domain.frames import FileDescription, UploadRequest
from hoist.domain.listing import NEWEST_FIRST
from hoist.domain.messages import envelope_from_json
from hoist.domain.model import Status, file_id, s3_key
from hoist.domain.volatile import Answer
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.ingest import Asked
from tests.unit.world import ADA, GRACE, LIFE_SECONDS, MIB, TRACE, World


def new_grants(world, topic="hoist.ingest.basic", *, most=100):
    records = world.records(topic)[: world.read[topic] + most]
    Delivery(world.log, "u", world.clock, lambda: world.is_up).run(
        records[world.read[topic] :], envelope_from_json, world.grant
    )
    world.read[topic] = len(records)


def new_applies(world):
    t = "hoist.metadata"
    records = world.records(t)
    again = world.apply_records(records[world.read[t] :])
    if not again:
        world.read[t] = len(records)
    return again


def expired(world, this_file):
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    new_applies(world)
    assert world.row(this_file).status is Status.EXPIRED


def test_a_revived_upload_whose_bytes_come_in_the_same_batch_is_stored():
    world = World(storageQuota=20)
    f = world.ask("m-1", size=12)
    new_grants(world)
    new_applies(world)
    expired(world, f)
    world.ask("m-1", size=12)
    new_grants(world)  # reserved again, URL given
    assert world.books().reserved_bytes == 12
    world.arrives(f, 12)  # used within the second; the metadata handler is a moment behind
    new_applies(world)  # file.requested and file.stored in one batch
    assert world.row(f).status is Status.STORED, world.row(f).reason


def test_late_bytes_before_the_second_grant_is_applied_are_a_file():
    world = World(storageQuota=20)
    f = world.ask("m-1", size=12)
    new_grants(world)
    new_applies(world)
    expired(world, f)
    world.ask("m-1", size=12)
    world.arrives(f, 12)  # first URL, its event ahead of the second grant's
    new_grants(world)
    new_applies(world)
    assert world.row(f).status is Status.STORED, world.row(f).reason


def test_a_delete_is_finished_when_storage_failed_once():
    world = World()
    f = world.stores("m-1")
    world.read["hoist.metadata"] = len(world.records("hoist.metadata"))
    assert world.files.list("ada", NEWEST_FIRST, None, None)["files"]
    world.cancel("ada", f, TRACE)
    discard, world.storage.discard = world.storage.discard, None

    def down(record):
        raise Unavailable("down")

    world.apply.objects.discard = down
    assert new_applies(world)  # put back
    world.apply.objects.discard = discard
    assert not new_applies(world)
    assert world.row(f).status is Status.PURGED
    problems = []
    if s3_key(f) in world.storage.stored:
        problems.append("bytes are still in storage")
    if world.files.list("ada", NEWEST_FIRST, None, None)["files"]:
        problems.append("cached list still shows the deleted file")
    assert not problems


def test_a_crash_between_the_row_and_the_cache_leaves_no_old_list():
    world = World()
    world.ask("m-1")
    new_grants(world)
    assert world.files.list("ada", NEWEST_FIRST, None, None)["files"] == []
    invalidate = world.cache.invalidate

    def crash(users):
        raise Unavailable("killed here")

    world.cache.invalidate = crash
    assert new_applies(world)
    world.cache.invalidate = invalidate
    assert not new_applies(world)
    assert len(world.files.list("ada", NEWEST_FIRST, None, None)["files"]) == 1


@pytest.mark.parametrize(("principal", "size"), [(ADA, 12), (GRACE, 200 * MIB)])
def test_an_upload_extended_after_it_was_given_up_begins_again(principal, size):
    world = World()
    topic = f"hoist.ingest.{principal.tier}"
    f = world.ask("m-1", size=size, principal=principal)
    new_grants(world, topic)
    new_applies(world)
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()  # file.expired is in the log, not applied
    world.ask("m-1", size=size, principal=principal)
    new_grants(world, topic)  # sees pending: file.extended after file.expired
    new_applies(world)
    user = principal.user_id
    assert world.row(f, user).status is Status.EXPIRED
    for _ in range(5):  # the client asks again and again
        world.clock.advance(seconds=400)
        world.ask("m-1", size=size, principal=principal)
        new_grants(world, topic)
        new_applies(world)
    state = world.look(user, f)["state"]
    assert (state, world.row(f, user).status) == ("ready", Status.PENDING)
    assert world.books(user).reserved_bytes == size


def test_no_signature_outlives_its_upload():
    world = World()
    signed = []
    sign_put = world.storage.sign_put

    def spy(record, *, expires_seconds):
        signed.append(world.clock() + expires_seconds * 1000)
        return sign_put(record, expires_seconds=expires_seconds)

    world.storage.sign_put = spy
    f = world.ask("m-1")
    new_grants(world)
    new_applies(world)
    world.clock.advance(seconds=460)
    world.look("ada", f)
    new_applies(world)
    assert max(signed) <= world.row(f).settle_after_ms


def test_one_upload_that_cannot_be_joined_does_not_stop_the_janitor():
    world = World()
    big = world.ask("big", size=200 * MIB, principal=GRACE)
    new_grants(world, "hoist.ingest.premium")
    small = world.ask("small")
    new_grants(world)
    new_applies(world)
    for n in range(1, world.row(big, "grace").part_count + 1):
        world.storage.put_part(world.row(big, "grace"), n)

    def broken(record, parts):
        raise Unavailable("500 for this upload, always")

    world.storage.join = broken
    world.clock.advance(seconds=LIFE_SECONDS + 1)
    for _ in range(3):
        world.janitor()
    new_applies(world)
    assert world.row(small).status is Status.EXPIRED


def test_the_janitor_asks_once_while_the_handler_is_behind():
    world = World()
    world.ask("m-1")
    new_grants(world)
    new_applies(world)
    world.clock.advance(seconds=LIFE_SECONDS)
    before = len(world.log.messages)
    for _ in range(60):
        world.janitor()
        world.clock.advance(seconds=1)
    assert len(world.log.messages) - before <= 2


def test_parts_of_a_granted_upload_are_not_aborted_while_its_row_is_late():
    world = World()
    f = world.ask("m-1", size=200 * MIB, principal=GRACE)
    new_grants(world, "hoist.ingest.premium")  # metadata handler is down
    assert world.look("grace", f)["state"] == "ready"
    for _ in range(4):
        world.clock.advance(seconds=300)
        from hoist.domain.frames import WantedPart

        world.send_parts.sign("grace", f, [WantedPart(number=1)], TRACE)
    assert world.janitor.abort_orphans() == 0


def test_reconcile_keeps_an_object_whose_events_wait_in_the_log():
    world = World()
    f = world.ask("m-1")
    new_grants(world)
    world.arrives(f)
    world.clock.advance(seconds=LIFE_SECONDS + 1)  # metadata handler is down that long
    for difference in list(world.reconcile()):
        difference.repair()
    new_applies(world)
    assert world.row(f).status is Status.STORED
    assert s3_key(f) in world.storage.stored


def test_reconcile_does_not_undo_what_was_stored_while_it_scanned():
    world = World()
    f = world.ask("m-1", size=12)
    new_grants(world)
    new_applies(world)

    def interleaved():
        rows = list(world.store.records.values())
        yield from rows
        world.arrives(f, 12)
        new_applies(world)
        yield from [row for row in world.store.kept.values() if isinstance(row, Account)]

    world.store.scan = interleaved
    for difference in list(world.reconcile()):
        difference.repair()
    assert world.row(f).status is Status.STORED
    assert world.books().used_bytes == 12


def test_a_missing_file_can_be_sent_again():
    world = World()
    f = world.stores("m-1")
    world.read["hoist.ingest.basic"] = 1
    world.storage.stored.clear()
    world.clock.advance(seconds=LIFE_SECONDS + 1)
    for d in list(world.reconcile()):
        d.repair() if d.repair else None
    world.applies()
    assert world.row(f).status is Status.MISSING
    world.ask("m-1")
    new_grants(world)
    world.applies()
    assert world.heard("upload.ready")
    world.arrives(f)
    world.applies()
    world.clock.advance(seconds=LIFE_SECONDS + 1)
    left = list(world.reconcile())
    for d in left:
        d.repair() if d.repair else None
    world.applies()
    assert (world.row(f).status, [d.kind for d in world.reconcile()]) == (Status.STORED, [])


def test_a_second_payload_under_one_id_passes_no_limit_unseen():
    world = World(storageQuota=100, fileSizeMax=50)
    world.ask("m-1", size=51)
    new_grants(world)  # refused: too large
    world.ask("m-1", size=1)
    new_grants(world)  # fits
    world.ask("m-1", size=10**9)
    new_grants(world)  # a batch later, row not yet written
    assert world.books().in_use_bytes <= 100
    assert len(world.heard("upload.ready")) == 1


def test_a_redelivered_refusal_stays_a_refusal():
    world = World(concurrentUploads=1)
    first = world.ask("m-1")
    world.ask("m-2")
    world.grants()
    world.applies()
    assert world.codes() == ["too_many_uploads"]
    world.cancel("ada", first, TRACE)
    world.applies()
    world.grants()  # killed before the commit
    world.applies()
    assert ("ada", file_id("ada", "m-2")) not in world.store.records


@pytest.mark.parametrize("is_asked_later", [False, True])
def test_a_repeat_that_was_asked_before_the_refusal_was_told_gets_the_same(is_asked_later):
    """Its client has heard no, and listens no more; who asks after that gets a new chance."""
    world = World(storageQuota=12)
    first = world.ask("m-1")
    world.ask("m-2")
    if not is_asked_later:
        world.ask("m-2")
    new_grants(world, most=2)
    assert world.codes() == ["quota_exceeded"]
    world.cancel("ada", first, TRACE)
    new_applies(world)
    if is_asked_later:
        world.clock.advance(seconds=1)
        world.ask("m-2")
    new_grants(world)  # there is room now
    granted = [event["messageId"] for event in world.heard("upload.ready")]
    assert granted == (["m-1", "m-2"] if is_asked_later else ["m-1"])
    assert len(world.codes()) == (1 if is_asked_later else 2)


def test_a_grant_that_failed_between_reserving_and_the_log_leaves_no_reservation():
    world = World()
    f = world.ask("m-1")
    world.grants()
    world.answers.__init__()  # killed after the log, row late
    world.clock.advance(seconds=5)
    append = world.log.append

    def down(messages):
        raise Unavailable("kafka")

    world.log.append = down
    world.grants()  # reserved anew, then put back
    world.log.append = append
    world.applies()
    world.grants()
    world.arrives(f)
    world.applies()
    assert world.row(f).status is Status.STORED
    assert world.books().reservations == {}


def test_a_cancel_between_a_crash_and_its_redelivery_leaves_no_reservation():
    world = World()
    f = world.ask("m-1")
    append = world.log.append

    def down(messages):
        raise Unavailable("kafka")

    world.grant.log.append = down
    world.grants()
    world.grant.log.append = append
    world.cancel("ada", f, TRACE)
    world.applies()
    world.grants()
    world.applies()
    assert world.books().reservations == {}


def test_a_clock_that_steps_back_leaks_no_reservation():
    world = World()
    f = world.ask("m-1")
    admit = world.grant.admission

    def stepped(wanted):
        out = admit(wanted)
        world.clock.now_ms -= 3
        return out

    object.__setattr__(world.grant, "admission", stepped)
    new_grants(world)
    new_applies(world)
    world.arrives(f)
    new_applies(world)
    assert world.books().reservations == {}


def test_one_frame_asks_the_pace_once():
    world = World()
    n = []
    pace = world.lanes.pace
    world.lanes.pace = lambda *a: n.append(a) or pace(*a)
    world.ingest(
        ADA,
        [
            Asked(UploadRequest(message_id=f"m{i}", file=FileDescription(name="a", size=1)), TRACE)
            for i in range(100)
        ],
        "c",
    )
    assert len(n) == 1


def test_a_full_frame_can_pass_in_a_slow_tier():
    from hoist.gateway.flood import FloodGuard

    world = World(requestsPerSecond=40)
    guard = FloodGuard(lambda: world.tiers, lambda: world.clock() / 1000)
    world.clock.advance(seconds=3600)
    guard.take(ADA, 100)


def test_an_object_whose_request_was_set_aside_is_told_and_left_alone():
    world = World()
    f = world.ask("m-1")
    new_grants(world)
    world.log.messages = [
        m for m in world.log.messages if m.topic != "hoist.metadata"
    ]  # e.g. set aside in the dlq
    world.read["hoist.metadata"] = 0
    world.arrives(f)
    world.applies()
    assert world.row(f).status is Status.ARRIVED
    world.clock.advance(seconds=LIFE_SECONDS + 1)
    for d in list(world.reconcile()):
        d.repair() if d.repair else None
    world.applies()
    assert [d.kind for d in world.reconcile()] == ["object_unclaimed"]
    assert not any(d.repair for d in world.reconcile())


def test_one_upload_whose_join_has_a_bug_does_not_stop_the_janitor():
    world = World()
    large = world.ask("m", size=200 * MIB, principal=GRACE)
    small = world.ask("s")
    world.settles()
    row = world.row(large, "grace")
    for number in range(1, row.part_count + 1):
        world.storage.put_part(row, number)

    def broken(*_):
        raise RuntimeError("a bug")

    world.storage.join = broken
    world.clock.advance(seconds=LIFE_SECONDS + 1)
    world.janitor()
    world.applies()
    assert world.row(small).status is Status.EXPIRED


def test_a_checksum_that_storage_cannot_check_is_not_taken():
    world = World()
    facts = {"size": 200 * MIB, "principal": GRACE, "checksum_sha256": "A" * 43 + "="}
    with pytest.raises(InvalidRequest) as caught:
        world.ask("m", **facts)
    assert caught.value.field == "file.partChecksums"
    assert world.ask("m", **facts, part_checksums=True)


def test_an_announcement_that_is_told_late_never_hides_who_won():
    world = World()
    this_file = world.ask("m-1", name="first.txt")
    world.ask("m-1", name="second.txt")
    fingerprint = FileDescription(name="second.txt", size=12, content_type="text/plain")
    late = Answer("ada", fingerprint.facts().fingerprint(), "accepted", message_id="m-1")
    world.answers.__init__()  # neither has been told yet
    remember = world.answers.put_many

    def overtaken(answers):
        # The other gateway comes in between, while the first is being granted.
        remember({this_file: late})
        remember(answers)

    for record, put_many in zip(
        world.records("hoist.ingest.basic"), (overtaken, remember), strict=True
    ):
        world.answers.put_many = put_many
        delivery = Delivery(world.log, "u", world.clock, lambda: True)
        assert not delivery.run([record], envelope_from_json, world.grant)
    assert [ready["fileId"] for ready in world.heard("upload.ready")] == [this_file]
    assert world.codes() == ["message_id_conflict"]
    world.applies()
    assert world.row(this_file).file.name == "first.txt"


def test_a_request_replayed_after_its_room_was_given_away_makes_no_file():
    """Its ``file.requested`` rested among the dead letters while its object was there."""
    size = 12
    world = World(storageQuota=2 * size - 1)
    late = world.ask("m-1", size=size)
    new_grants(world)
    [request] = world.records("hoist.metadata")
    world.arrives(late, size)
    world.apply_records(world.records("hoist.metadata")[1:])
    assert world.row(late).status is Status.ARRIVED
    books = world.books()
    world.store.write([(replace(books.release(late), version=books.version + 1),)])
    another = world.ask("m-2", size=size)
    new_grants(world)
    world.apply_records(world.records("hoist.metadata")[2:])
    world.arrives(another, size)
    world.apply_records(world.records("hoist.metadata")[3:])
    assert world.row(another).status is Status.STORED
    world.apply_records([request])
    assert world.row(late).status is Status.REJECTED
    assert "does not fit" in world.row(late).reason
    assert world.books().in_use_bytes == size


def test_of_two_requests_under_one_message_id_the_first_is_remembered():
    world = World()
    asked = [
        Asked(UploadRequest(message_id="m", file=FileDescription(name=name, size=1)), TRACE)
        for name in ("first", "second")
    ]
    first, second = world.ingest(ADA, asked, "c")
    assert first.file_id == second.file_id
    kept = world.answers.get_many([first.file_id])[first.file_id]
    assert kept.fingerprint == asked[0].request.file.facts().fingerprint()
