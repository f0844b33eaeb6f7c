"""The store made anew from the log: the same rows, and every difference is found."""

from contextlib import nullcontext
from dataclasses import replace
from itertools import count

import pytest

from hoist.domain.errors import InvalidRequest
from hoist.domain.frames import ShareRequest
from hoist.domain.model import Status, Visibility
from hoist.domain.ports import Message
from hoist.pipeline.change import Delete, Edit
from hoist.pipeline.doctor_log import CheckLog
from hoist.pipeline.fold import FoldMetadata
from hoist.pipeline.rebuild import ROUNDS, Rebuild
from tests.doubles import MemoryMetadata
from tests.unit.world import GRACE, LIFE_SECONDS, TRACE, Reader, World


@pytest.fixture
def world():
    """Somebody who did a bit of everything, and somebody else."""
    world = World()
    kept, shared = world.stores("m-1"), world.stores("m-2", size=20)
    world.stores("m-3", principal=GRACE)
    world.change("ada", kept, Edit("b", "c", Visibility.PUBLIC), TRACE)
    link = world.share.create("ada", shared, ShareRequest(downloads_max=3), TRACE)["shareId"]
    world.share.link_url(link, None, TRACE)
    world.share.public_url(kept, TRACE)
    world.change("ada", world.stores("m-4"), Delete(), TRACE)
    world.change("ada", world.stores("m-5"), Delete(is_permanent=True), TRACE)
    world.ask("m-6")  # expires
    world.settles()
    world.clock.advance(seconds=LIFE_SECONDS)
    world.janitor()
    world.ask("m-7")  # stays pending
    world.settles()
    return world


def rebuild(world, target=None, reader=None):
    target = target or MemoryMetadata()
    fold = FoldMetadata(target, lambda: world.tiers, has_reservations=False)
    return Rebuild(reader or Reader(world), fold, target, target, world.store), target


def test_the_log_makes_the_same_rows_again(world):
    step, target = rebuild(world)
    told = step()
    assert told.unlike == ()
    assert told.events == len(world.log.of("hoist.metadata"))
    assert told.rows == len(target.kept) == len(world.store.kept)
    for user in ("ada", "grace"):
        mine, theirs = target.accounts([user])[user], world.store.accounts([user])[user]
        assert (mine.used_bytes, mine.reserved_bytes) == (theirs.used_bytes, theirs.reserved_bytes)


def test_every_difference_is_found(world):
    rows = {type(row).__name__: row for row in world.store.kept.values()}
    file, account = rows["FileRecord"], rows["Account"]
    world.store.kept[file.user_id, file.row_id] = replace(file, reason="changed by hand")
    world.store.kept[account.user_id, account.row_id] = replace(account, used_bytes=1)
    share = rows["Share"]
    del world.store.kept[share.user_id, share.row_id]
    told = rebuild(world)[0]()
    assert {one.key[1] for one in told.unlike} == {file.row_id, account.row_id, share.row_id}
    [lost] = [one for one in told.unlike if one.key[1] == share.row_id]
    assert (lost.live, lost.rebuilt.downloads) == (None, 1)


def test_the_doctor_tells_each_difference_with_its_command(world):
    check = CheckLog(lambda: nullcontext(rebuild(world)[0]))
    assert check().findings == ()
    key, file = next(iter(world.store.records.items()))
    world.store.kept[key] = replace(file, reason="changed by hand", status=Status.REJECTED)
    [one] = check().findings
    assert (one.kind, one.subject) == ("row_differs", "/".join(key))
    assert one.detail == "another status, reason"
    assert one.mend == "hoist admin rebuild --into STORE"
    del world.store.kept[key]
    assert [one.detail for one in check().findings] == ["only rebuilt"]
    world.store.kept |= {key: file, ("eve", file.file_id): replace(file, user_id="eve")}
    assert [one.detail for one in check().findings] == ["only in the store in use"]


def test_what_happens_meanwhile_is_no_difference(world):
    reader = Reader(world)

    def once():
        reader.meanwhile = lambda: None
        world.stores("m-8")

    reader.meanwhile = once
    assert rebuild(world, reader=reader)[0]().unlike == ()


def test_of_a_store_that_is_written_all_the_time_only_what_stays_is_told(world):
    file = next(row for row in world.store.records.values() if row.user_id == "grace")
    world.store.kept["grace", file.file_id] = replace(file, reason="changed by hand")
    reader, numbers = Reader(world), count(8)
    reader.meanwhile = lambda: world.stores(f"m-{next(numbers)}")
    told = rebuild(world, reader=reader)[0]()
    assert next(numbers) == 8 + ROUNDS
    assert [one.key for one in told.unlike] == [("grace", file.file_id)]


def test_what_nobody_can_read_is_counted_and_left_out(world):
    world.log.append([Message("hoist.metadata", "ada", b"{", ())])
    told = rebuild(world)[0]()
    assert (told.unreadable, told.unlike) == (1, ())


def test_a_store_that_is_not_empty_is_refused(world):
    with pytest.raises(InvalidRequest, match="not empty"):
        rebuild(world, target=world.store)[0]()


def test_when_the_store_in_use_is_lost_it_is_only_rebuilt(world):
    step, target = rebuild(world)
    lost = world.store.kept
    world.store.scan = lambda: 1 / 0
    told = step(is_compared=False)
    assert (told.rows, told.unlike) == (len(lost), ())
    assert target.kept.keys() == lost.keys()
