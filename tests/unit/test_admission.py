"""Limits of a tier: size, rate, concurrency and quota; told with all a user needs to act."""

import pytest

from hoist.domain.errors import Unavailable
from hoist.domain.model import Status
from hoist.domain.ports import Message
from tests.unit.world import ADA, GRACE, LIFE_SECONDS, World


def test_the_quota_is_kept_to_the_byte():
    world = World(storageQuota=30)
    for number in range(3):
        world.ask(f"m-{number}", size=10)
    world.ask("m-3", size=1)
    world.settles()
    assert len(world.heard("upload.ready")) == 3
    [refused] = world.heard("upload.rejected")
    error = refused["error"]
    assert (error["code"], error["status"]) == ("quota_exceeded", 403)
    assert refused["messageId"] == "m-3"
    assert (error["limit"], error["inUse"], error["size"]) == (30, 30, 1)
    assert error["premiumLimit"] == 1024**4
    assert error["clearsAt"]
    assert (world.books().used_bytes, world.books().reserved_bytes) == (0, 30)


def test_room_is_used_once_stored_and_nothing_stays_reserved():
    world = World(storageQuota=30)
    world.stores("m-1", size=12)
    assert (world.books().used_bytes, world.books().reserved_bytes) == (12, 0)
    world.settles()
    assert (world.books().used_bytes, world.books().reserved_bytes) == (12, 0)


def test_a_full_quota_of_stored_files_does_not_clear_by_itself():
    world = World(storageQuota=12)
    world.stores("m-1", size=12)
    world.ask("m-2", size=1)
    world.settles()
    assert "clearsAt" not in world.heard("upload.rejected")[-1]["error"]
    assert "delete files" in world.heard("upload.rejected")[-1]["error"]["detail"]


@pytest.mark.parametrize("end", ["expired", "cancelled", "purged", "rejected"])
def test_room_comes_back_however_an_upload_ends(end):
    world = World(storageQuota=12)
    this_file = world.ask("m-1", size=12)
    world.settles()
    if end == "expired":
        world.clock.advance(seconds=LIFE_SECONDS)
        world.janitor()
    elif end == "cancelled":
        world.cancel("ada", this_file, "")
    elif end == "purged":
        world.arrives(this_file, 12)
        world.applies()
        world.cancel("ada", this_file, "")
    else:
        world.arrives(this_file, 13)
    world.applies()
    assert world.row(this_file).status.value == end
    assert (world.books().used_bytes, world.books().reservations) == (0, {})
    world.ask("m-2", size=12)
    world.settles()
    assert world.row(world.ask("m-2", size=12)).status is Status.PENDING


def test_a_redelivered_request_reserves_nothing_more_and_costs_no_rate():
    world = World(requestsPerMinute=1)
    world.ask("m-1", size=10)
    world.grants()
    world.answers.__init__()  # the crash came before anything was remembered
    world.log.messages = [m for m in world.log.messages if m.topic != "hoist.metadata"]
    world.grants()
    world.applies()
    assert world.books().reserved_bytes == 10
    assert world.codes() == []


@pytest.mark.parametrize("is_stored_before", [False, True])
def test_a_request_granted_twice_after_a_crash_leaves_nothing_reserved(is_stored_before):
    world = World()
    this_file = world.ask("m-1", size=12)
    world.grants()
    world.answers.__init__()  # killed before it was remembered or committed, and its row is late
    world.clock.advance(seconds=11)
    if is_stored_before:
        [first] = world.records("hoist.metadata")
        world.grants()
        world.apply_records([first])
        world.arrives(this_file)
        world.apply_records(world.records("hoist.metadata")[2:])
    else:
        world.grants()
    world.applies()
    world.arrives(this_file)
    world.applies()
    assert world.row(this_file).status is Status.STORED
    assert (world.books().used_bytes, world.books().reservations) == (12, {})


def test_as_many_at_once_as_the_tier_allows_and_one_more_when_one_is_done():
    world = World(concurrentUploads=2)
    first = world.ask("m-1")
    world.ask("m-2")
    world.ask("m-3")
    world.settles()
    [error] = [event["error"] for event in world.heard("upload.rejected")]
    assert (error["code"], error["status"], error["limit"], error["inUse"]) == (
        "too_many_uploads",
        429,
        2,
        2,
    )
    assert 1 <= error["retryAfterSeconds"] <= 120
    assert error["premiumLimit"] == 1000
    world.arrives(first)
    world.applies()
    world.ask("m-3")
    world.settles()
    assert {event["messageId"] for event in world.heard("upload.ready")} == {"m-1", "m-2", "m-3"}


def test_a_lease_that_nobody_renews_frees_itself():
    world = World(concurrentUploads=1)
    world.ask("m-1")
    world.settles()
    world.clock.advance(seconds=119)
    world.ask("m-2")
    world.settles()
    assert world.codes() == ["too_many_uploads"]
    world.clock.advance(seconds=2)
    world.ask("m-2")
    world.settles()
    assert world.heard("upload.ready")[-1]["messageId"] == "m-2"


def test_leases_that_were_flushed_are_taken_from_the_books():
    world = World(concurrentUploads=2)
    world.ask("m-1")
    world.ask("m-2")
    world.settles()
    world.leases.forget()
    world.ask("m-3")
    world.settles()
    assert world.codes() == ["too_many_uploads"]


def test_a_user_may_not_leave_unfinished_uploads_without_end():
    world = World(concurrentUploads=1)
    for number in range(11):
        world.ask(f"m-{number}")
        world.settles()
        world.leases.free({"ada": list(world.books().reservations)})  # as if each lease had ended
    assert world.codes() == ["too_many_uploads"]
    assert len(world.books().reservations) == 10


def test_requests_over_the_rate_are_told_when_to_come_back():
    world = World(requestsPerMinute=3)
    for number in range(5):
        world.ask(f"m-{number}")
    world.settles()
    assert len(world.heard("upload.ready")) == 3
    assert world.codes() == ["rate_limited"] * 2
    error = world.heard("upload.rejected")[0]["error"]
    assert (error["limit"], error["inUse"], error["retriable"]) == (3, 3, True)
    assert error["premiumLimit"] == 12_000
    assert 1 <= error["retryAfterSeconds"] <= 60
    world.clock.advance(seconds=61)
    world.ask("m-4")
    world.settles()
    assert world.heard("upload.ready")[-1]["messageId"] == "m-4"


def test_users_do_not_share_limits():
    world = World(concurrentUploads=1, requestsPerMinute=1, storageQuota=12)
    world.ask("m-1", size=12)
    world.ask("m-1", size=12, principal=GRACE)
    world.settles()
    assert world.codes("ada") == world.codes("grace") == []


def test_a_changed_policy_counts_from_the_next_request():
    world = World(fileSizeMax=10)
    world.ask("m-1", size=11)
    world.settles()
    assert world.codes() == ["file_too_large"]
    world.tiers = World(fileSizeMax=11).tiers
    world.ask("m-1", size=11)
    world.settles()
    assert world.heard("upload.ready")


class Raced:
    """A store where somebody else writes the account first, a number of times."""

    def __init__(self, store, times):
        self.store, self.times = store, times

    def __getattr__(self, name):
        return getattr(self.store, name)

    def write(self, changes):
        if self.times and any(row.user_id == "ada" for change in changes for row in change):
            self.times -= 1
            return [False] * len(changes)
        return self.store.write(changes)


def test_a_lost_race_for_the_account_is_decided_again():
    world = World(storageQuota=20)
    object.__setattr__(world.grant.admission, "store", Raced(world.store, 3))
    world.ask("m-1", size=12)
    world.ask("m-2", size=12)
    assert world.grants() == []
    assert world.codes() == ["quota_exceeded"]
    assert world.books().reserved_bytes == 12


def test_an_account_that_is_always_written_by_others_puts_the_batch_back():
    world = World()
    object.__setattr__(world.grant.admission, "store", Raced(world.store, 10**6))
    world.ask("m-1")
    assert world.grants()
    assert world.heard("upload.ready") == []


def test_a_store_that_takes_no_write_costs_no_rate():
    world = World(requestsPerMinute=3)

    class ReadOnly:
        def __getattr__(self, name):
            return getattr(world.store, name)

        def write(self, changes):
            raise Unavailable("the store takes no writes")

    admission = world.grant.admission
    object.__setattr__(admission, "store", ReadOnly())
    for number in range(3):
        world.ask(f"m-{number}")
    assert world.grants()  # halved, and halved again
    object.__setattr__(admission, "store", world.store)
    for rung in world.log.of("hoist.upload-basic.retry-5s"):
        world.log.append([Message("hoist.ingest.basic", rung.key, rung.value, rung.headers)])
    assert world.grants() == []
    assert len(world.heard("upload.ready")) == 3
    assert world.heard("upload.rejected") == []
    world.ask("m-3")
    world.grants()
    assert world.codes() == ["rate_limited"]


def test_me_tells_limits_and_use():
    world = World(storageQuota=100)
    world.stores("m-1", size=12)
    world.ask("m-2", size=5)
    world.settles()
    me = world.files.me(ADA)
    assert me["limits"]["storageQuota"] == 100
    assert me["premium"]["concurrentUploads"] == 1000
    assert me["use"] == {"storedBytes": 12, "reservedBytes": 5, "concurrentUploads": 1}
