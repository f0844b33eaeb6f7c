"""Archives: asked for, built from what the list shows, told, looked at, removed."""

import io
import zipfile
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hoist.domain import archives as rules
from hoist.domain.archives import archive_requested_from_json
from hoist.domain.errors import (
    Malformed,
    NotFound,
    NothingToArchive,
    NotStored,
    RateLimited,
    Unavailable,
)
from hoist.domain.listing import Listing, Order
from hoist.domain.messages import ARCHIVES_TOPIC, RETRY_SECONDS, retry_topic
from hoist.domain.model import Status, Visibility, s3_key
from hoist.pipeline import archive
from hoist.pipeline.archive import BuildArchives
from hoist.pipeline.archive_requests import PER_HOUR, PER_MINUTE, Archives
from hoist.pipeline.delivery import Delivery
from tests.unit.world import ADA, GRACE, TRACE, Storage, World

DAY_SECONDS = 24 * 3600


class Stream:
    """Bytes one way; with *room*, storage goes down after so many."""

    def __init__(self, room=None):
        self.body, self.room = io.BytesIO(), room

    def write(self, data):
        if self.room is not None and self.body.tell() + len(data) > self.room:
            raise Unavailable("the object store is unavailable")
        return self.body.write(data)

    def tell(self):
        return self.body.tell()

    def flush(self): ...

    def close(self): ...


class MemoryArchives:
    """Each file is its own id, in two chunks. ``lost`` keys are gone."""

    def __init__(self):
        self.zips, self.reports = {}, {}
        self.lost, self.reading = set(), lambda: None
        self.room, self.built = None, 0

    def chunks(self, record):
        if record.s3_key in self.lost:
            raise NotStored("storage has nothing")
        yield record.file_id[:4].encode()
        self.reading()
        yield record.file_id[4:].encode()

    @contextmanager
    def writing(self, archive_id):
        stream = Stream(self.room)
        yield stream
        self.built += 1
        self.zips[archive_id] = stream.body.getvalue()

    def settle(self, archive_id, report):
        self.reports[archive_id] = report

    def report(self, archive_id):
        return self.reports.get(archive_id)

    def sign_get(self, archive_id, name, *, expires_seconds):
        return f"get:{archive_id}:{name}:{expires_seconds}"


class Builder:
    """A world whose users may ask for archives, and a worker that builds them."""

    def __init__(self):
        self.world = world = World()
        self.store, self.archives = world.store, MemoryArchives()
        self.kept = Storage(world.clock)
        self.user = Archives(
            store=world.store,
            archives=self.archives,
            inventory=self.kept,
            limiter=world.limiter,
            log=world.log,
            clock=world.clock,
            secret="secret",
        )
        self.build = BuildArchives(world.store, self.archives, world.events, world.clock)

    def has(self, name, folder="", principal=ADA):
        """A stored file; its bytes are its id."""
        message_id = f"m-{len(self.store.records)}"
        this_file = self.world.ask(message_id, name, 36, folder=folder, principal=principal)
        self.world.settles()
        self.world.arrives(this_file, 36)
        self.world.applies()
        return this_file

    def ask(self, listing=None, principal=ADA):
        return self.user.ask(principal, listing or Listing(), TRACE)["archiveId"]

    def works(self):
        """Deliver every request there ever was; returns those to deliver again."""
        delivery = Delivery(self.world.log, "archives", self.world.clock, lambda: self.world.is_up)
        records = self.world.records(ARCHIVES_TOPIC)
        return delivery.run(records, archive_requested_from_json, self.build)

    def content(self, archive_id):
        with zipfile.ZipFile(io.BytesIO(self.archives.zips[archive_id])) as found:
            assert found.testzip() is None
            return {name: found.read(name).decode() for name in found.namelist()}

    def look(self, archive_id, user_id="ada"):
        return self.user.look(user_id, archive_id)


@pytest.fixture
def builder():
    return Builder()


def test_every_file_of_the_list_is_in_the_zip_in_its_folder(builder):
    first, second = builder.has("a.txt", "x/y"), builder.has("a.txt")
    other = builder.has("a.txt", "x")
    builder.has("b.txt", "z")
    archive_id = builder.ask(Listing(name_contains="A.", order=Order.NAME))
    assert builder.look(archive_id)["state"] == "building"
    assert builder.works() == []
    assert builder.content(archive_id) == {"x/y/a.txt": first, "a.txt": second, "x/a.txt": other}
    view = builder.look(archive_id)
    assert (view["state"], view["files"]) == ("ready", 3)
    assert view["size"] == len(builder.archives.zips[archive_id])
    assert view["downloadUrl"] == f"get:{archive_id}:hoist-2027-01-15.zip:900"
    [told] = builder.world.heard("archive.ready")
    assert told["archive"] == {name: view[name] for name in view if name != "downloadUrl"}


def test_an_entry_says_when_its_file_was_stored_and_may_be_read_by_all(builder):
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.works()
    with zipfile.ZipFile(io.BytesIO(builder.archives.zips[archive_id])) as found:
        [entry] = found.infolist()
    assert entry.date_time[:3] == (2027, 1, 15)
    assert entry.external_attr >> 16 == 0o100644


def test_the_request_keeps_the_whole_list_on_its_way(builder):
    listing = Listing(
        order=Order.SIZE,
        is_descending=False,
        statuses=frozenset({Status.STORED, Status.EXPIRED}),
        visibility=Visibility.PRIVATE,
        name_contains="é",
        content_type="text/",
        created_from_ms=0,
        size_max=99,
        folder="",
        is_deep=True,
    )
    builder.has("é.txt")
    builder.ask(listing)
    [message] = builder.world.log.of(ARCHIVES_TOPIC)
    asked = archive_requested_from_json(message.value)
    assert (message.key, asked.user_id, asked.listing) == ("ada", "ada", listing)


def test_only_the_users_own_stored_files_are_packed(builder):
    mine = builder.has("mine.txt")
    builder.has("foreign.txt", principal=GRACE)
    builder.world.ask("m-pending", "pending.txt")
    builder.world.settles()
    archive_id = builder.ask()
    builder.works()
    assert builder.content(archive_id) == {"mine.txt": mine}


@pytest.mark.parametrize(
    "listing",
    [
        Listing(folder="nowhere"),
        Listing(is_trash=True),
        Listing(statuses=frozenset({Status.EXPIRED})),
    ],
)
def test_a_list_without_stored_files_is_refused_and_leaves_no_trace(builder, listing):
    builder.has("a.txt")
    with pytest.raises(NothingToArchive):
        builder.ask(listing)
    assert builder.world.log.of(ARCHIVES_TOPIC) == []


def test_files_that_went_before_they_were_packed_are_counted_as_left_out(builder):
    lost, kept = builder.has("lost.txt"), builder.has("kept.txt")
    builder.archives.lost = {s3_key(lost)}
    archive_id = builder.ask()
    builder.works()
    assert builder.content(archive_id) == {"kept.txt": kept}
    view = builder.look(archive_id)
    assert (view["files"], view["leftOut"]) == (1, 1)


def test_when_all_went_the_archive_has_failed_and_there_is_no_zip(builder):
    builder.archives.lost = {s3_key(builder.has("lost.txt"))}
    archive_id = builder.ask()
    builder.works()
    view = builder.look(archive_id)
    assert (view["state"], view["error"]["code"]) == ("failed", "nothing_to_archive")
    assert builder.archives.zips == {}
    [told] = builder.world.heard("archive.failed")
    assert told["archive"] == view


@pytest.mark.parametrize("unit", ["files", "bytes"])
def test_the_limits_are_included_and_one_more_is_refused(builder, monkeypatch, unit):
    monkeypatch.setattr(archive, "FILES_MAX" if unit == "files" else "BYTES_MAX", 2)
    monkeypatch.setattr(archive, "PAGE", 2)
    if unit == "bytes":
        monkeypatch.setattr(archive, "BYTES_MAX", 72)
    for name in ("a", "b"):
        builder.has(name)
    fits = builder.ask()
    builder.works()
    assert builder.look(fits)["files"] == 2
    builder.has("c")
    over = builder.ask()
    builder.works()
    error = builder.look(over)["error"]
    limit, size = (2, 3) if unit == "files" else (72, 108)
    assert (error["code"], error["status"]) == ("archive_too_large", 413)
    assert (error["unit"], error["limit"], error["size"]) == (unit, limit, size)
    assert over not in builder.archives.zips


def test_a_second_delivery_builds_nothing_and_tells_the_same(builder):
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.works()
    before = builder.look(archive_id)
    builder.has("b.txt")
    assert builder.works() == []
    assert builder.archives.built == 1
    assert builder.look(archive_id) == before
    first, second = builder.world.heard("archive.ready")
    assert first["archive"] == second["archive"]


def test_storage_that_is_down_puts_the_request_back_and_in_the_end_fails_it(builder):
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.archives.room = 50  # in the middle of the file
    assert len(builder.works()) == 1
    assert builder.look(archive_id)["state"] == "building"
    builder.world.clock.advance(seconds=archive.PATIENCE_SECONDS - 1)
    assert len(builder.works()) == 1
    builder.world.clock.advance(seconds=1)
    assert builder.works() == []
    assert builder.look(archive_id)["error"]["code"] == "unavailable"
    assert builder.archives.zips == {}


def test_the_last_step_of_the_ladder_fails_it_and_tells(builder):
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.archives.room = 50
    delivery = Delivery(builder.world.log, "archives", builder.world.clock, lambda: True)
    records = builder.world.records(ARCHIVES_TOPIC)
    for seconds in RETRY_SECONDS:
        assert delivery.run(records, archive_requested_from_json, builder.build) == []
        assert builder.look(archive_id)["state"] == "building"
        records = builder.world.records(retry_topic("archives", seconds))
        builder.world.clock.advance(seconds=seconds)
    assert delivery.run(records, archive_requested_from_json, builder.build) == []
    assert builder.look(archive_id)["error"]["code"] == "unavailable"
    assert builder.world.heard("archive.failed")
    assert builder.world.log.of("hoist.archives.dlq") == []


def test_a_build_that_takes_too_long_is_given_up(builder):
    builder.has("a.txt")
    builder.ask()
    tick = builder.world.clock.advance
    builder.archives.reading = lambda: tick(seconds=archive.BUILD_SECONDS_MAX)
    assert builder.works() == []
    builder.archives.reports.clear()
    builder.archives.reading = lambda: tick(seconds=archive.BUILD_SECONDS_MAX + 0.001)
    assert len(builder.works()) == 1


def test_a_request_of_yesterday_is_not_built(builder):
    builder.has("a.txt")
    builder.ask()
    builder.world.clock.advance(seconds=DAY_SECONDS)
    assert builder.works() == []
    assert builder.archives.built == 0
    [told] = builder.world.heard("archive.failed")
    assert told["archive"]["error"]["code"] == "unavailable"
    assert told["archive"]["error"]["detail"] == str(archive.TOO_LATE)


def test_an_archive_of_yesterday_is_not_told_again(builder):
    builder.has("a.txt")
    builder.ask()
    builder.works()
    builder.world.clock.advance(seconds=DAY_SECONDS)
    assert builder.works() == []
    assert builder.world.heard("archive.failed") == []
    assert len(builder.world.heard("archive.ready")) == 1


def test_a_bug_fails_the_archive_at_once_and_its_request_is_set_aside(builder):
    """So does what storage refuses for a reason of its own, such as a missing permission."""
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.archives.reading = lambda: int("s3cret")
    builder.world.is_up = True
    assert builder.works() == []
    view = builder.look(archive_id)
    assert (view["state"], view["error"]["code"]) == ("failed", "internal")
    assert "s3cret" not in str(view)
    [told] = builder.world.heard("archive.failed")
    assert told["archive"] == view
    assert len(builder.world.log.of("hoist.archives.dlq")) == 1
    assert builder.archives.zips == {}


def test_a_bug_fails_no_other_archive_of_its_batch(builder):
    builder.has("a.txt")
    good, bad, later = builder.ask(), builder.ask(), builder.ask()
    reports = builder.archives.report

    def report(archive_id):
        builder.archives.reading = (lambda: int("x")) if archive_id == bad else (lambda: None)
        return reports(archive_id)

    builder.archives.report = report
    builder.world.is_up = True
    assert builder.works() == []
    states = [builder.look(name)["state"] for name in (good, bad, later)]
    assert states == ["ready", "failed", "ready"]
    assert len(builder.world.log.of("hoist.archives.dlq")) == 1


def test_a_request_that_is_none_is_a_dead_letter(builder):
    with pytest.raises(Malformed):
        archive_requested_from_json(b'{"archiveId": "x"}')


def test_an_archive_is_its_users_alone_and_its_id_cannot_be_made_up(builder):
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.works()
    builder.look(archive_id)
    other = "a" if archive_id[0] != "a" else "b"
    wrong = [other + archive_id[1:], archive_id[:-1], archive_id.upper(), "", "é" * 56]
    later = rules.archive_id("other secret", "ada", b"n" * 12, builder.world.clock())
    for user_id, name in [("grace", archive_id), ("ada", later), *(("ada", w) for w in wrong)]:
        with pytest.raises(NotFound):
            builder.look(name, user_id)


@pytest.mark.parametrize("place", range(56))
def test_every_character_of_an_id_is_sealed(place):
    good = rules.archive_id("secret", "ada", b"n" * 12, 1_800_000_000_000)
    assert rules.asked_ms("secret", "ada", good) == 1_800_000_000_000
    other = "b" if good[place] != "b" else "c"
    assert rules.asked_ms("secret", "ada", good[:place] + other + good[place + 1 :]) is None


def test_an_archive_is_found_for_a_day(builder):
    builder.has("a.txt")
    archive_id = builder.ask()
    builder.works()
    expires_at = builder.look(archive_id)["expiresAt"]
    assert expires_at == "2027-01-16T08:00:00.001Z"
    builder.world.clock.advance(seconds=DAY_SECONDS - 0.001)
    builder.look(archive_id)
    builder.world.clock.advance(seconds=0.001)
    with pytest.raises(NotFound):
        builder.look(archive_id)


def test_old_archives_and_their_left_over_parts_are_removed(builder):
    record = replace(builder.world.row(builder.has("a.txt")))
    builder.kept.begin(record)
    builder.kept.stored["archives/ab/old"] = builder.world.storage.head(record.s3_key)
    builder.world.clock.advance(seconds=DAY_SECONDS - 1)
    assert builder.user.remove_old() == 0
    builder.user.removals.next_ms = 0
    builder.world.clock.advance(seconds=1)
    assert builder.user.remove_old() == 2
    assert (builder.kept.stored, builder.kept.open) == ({}, {})


def test_so_many_archives_a_minute_and_uploads_are_counted_apart(builder):
    builder.has("a.txt")
    for _ in range(PER_MINUTE):
        builder.ask()
    with pytest.raises(RateLimited) as refused:
        builder.ask()
    assert refused.value.details()["limit"] == PER_MINUTE
    builder.has("b.txt")
    builder.world.clock.advance(seconds=60)
    builder.ask()


def test_so_many_archives_an_hour(builder):
    builder.has("a.txt")
    for _ in range(PER_HOUR):
        builder.ask()
        builder.world.clock.advance(seconds=15)
    with pytest.raises(RateLimited) as refused:
        builder.ask()
    details = refused.value.details()
    assert (details["limit"], details["retryAfterSeconds"]) == (PER_HOUR, 3600 - 15 * PER_HOUR)
    builder.world.clock.advance(seconds=details["retryAfterSeconds"])
    builder.ask()
