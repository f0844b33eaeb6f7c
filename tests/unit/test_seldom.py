"""The janitor walks through the bucket every 15 s, however often its clock ticks."""

from dataclasses import replace

import pytest

from hoist.pipeline.archive_requests import Archives
from tests.unit.world import GRACE, MIB, Storage, World

DAY_SECONDS = 24 * 3600
NOBODY = "aa000000-0000-5000-8000-000000000000"


class Walked(Storage):
    """Counts the walks through it."""

    def __init__(self, clock):
        super().__init__(clock)
        self.walks = 0

    def open_uploads(self):
        self.walks += 1
        return super().open_uploads()


@pytest.fixture
def world():
    return World()


@pytest.fixture(params=["abort_orphans", "remove_old"])
def look(world, request):
    """Both looks, and the bucket that they walk through."""
    bucket = Walked(world.clock)
    if request.param == "abort_orphans":
        return replace(world.janitor, inventory=bucket).abort_orphans, bucket
    archives = Archives(world.store, None, bucket, world.limiter, world.log, world.clock, "secret")
    return archives.remove_old, bucket


def test_a_tick_each_second_is_one_walk_in_fifteen(world, look):
    step, bucket = look
    for _ in range(15):
        step()
        world.clock.advance(seconds=1)
    assert bucket.walks == 1
    step()
    assert bucket.walks == 2


def test_what_was_not_due_yet_is_found_at_the_next_walk(world, look):
    step, bucket = look
    large = world.ask(size=200 * MIB, principal=GRACE)
    world.settles()
    bucket.begin(replace(world.row(large, "grace"), file_id=NOBODY))
    world.clock.advance(seconds=DAY_SECONDS - 0.001)
    assert step() == 0
    world.clock.advance(seconds=14.999)
    assert step() == 0
    assert bucket.open
    world.clock.advance(seconds=0.001)
    assert step() == 1
    assert not bucket.open
