"""Who asks too fast waits for the refusal; others, and the guard itself, do not."""

import pytest

from hoist.domain.errors import SlowDown
from hoist.gateway.flood import BURST_SECONDS, REFUSAL_SECONDS, FloodGuard
from tests.unit.world import ADA, GRACE, World

RATE = 5


def test_a_refusal_comes_after_a_moment_and_costs_others_nothing():
    world, slept = World(requestsPerSecond=RATE), []

    def sleep(seconds):
        slept.append(seconds)
        guard.take(GRACE)  # while ada waits

    guard = FloodGuard(lambda: world.tiers, lambda: world.clock() / 1000, sleep)
    for _ in range(RATE * BURST_SECONDS):
        guard.take(ADA)
    assert slept == []
    with pytest.raises(SlowDown):
        guard.take(ADA)
    assert slept == [REFUSAL_SECONDS]
    world.clock.advance(seconds=1)
    guard.take(ADA, RATE)
