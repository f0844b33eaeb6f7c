"""Callers who come at the same time share a trip, and each returns when its own is done."""

import threading
import time

import pytest
import redis

from hoist.adapters.redis_client import Guard
from hoist.adapters.redis_together import CALLERS_MAX, Together

PATIENCE_SECONDS = 30


class Trips:
    """A client whose first trip lasts until it is let go; keeps what each trip carried."""

    def __init__(self, failure=None):
        self.carried, self.failure = [], failure
        self.is_under_way, self.may_return = threading.Event(), threading.Event()

    def pipeline(self, transaction):
        assert transaction is False
        return Pipeline(self)


class Pipeline(list):
    def __init__(self, trips):
        super().__init__()
        self._trips = trips

    def execute(self):
        self._trips.carried.append(list(self))
        self._trips.is_under_way.set()
        assert self._trips.may_return.wait(PATIENCE_SECONDS)
        if self._trips.failure:
            raise self._trips.failure


def caller(together, name):
    thread = threading.Thread(target=together, args=(lambda pipeline: pipeline.append(name),))
    thread.start()
    return thread


def callers(together, names):
    """One after another, each while those before it wait."""
    started = []
    for waiting, name in enumerate(names, start=1):
        started.append(caller(together, name))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(together._waiting) < waiting:
            assert time.monotonic() < deadline
            time.sleep(0.001)  # between looks
    return started


def joined(threads):
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return not any(thread.is_alive() for thread in threads)


def test_who_comes_while_a_trip_is_under_way_goes_with_the_next_in_order():
    trips = Trips()
    together = Together(trips, Guard())
    first = caller(together, "first")
    assert trips.is_under_way.wait(PATIENCE_SECONDS)
    rest = callers(together, ["a", "b", "c"])
    assert all(thread.is_alive() for thread in [first, *rest])
    trips.may_return.set()
    assert joined([first, *rest])
    assert trips.carried == [["first"], ["a", "b", "c"]]


def test_a_trip_carries_a_bounded_number_and_nobody_is_left_behind():
    trips = Trips()
    together = Together(trips, Guard())
    first = caller(together, "first")
    assert trips.is_under_way.wait(PATIENCE_SECONDS)
    rest = callers(together, range(CALLERS_MAX + 1))
    trips.may_return.set()
    assert joined([first, *rest])
    assert list(map(len, trips.carried)) == [1, CALLERS_MAX, 1]
    together(lambda pipeline: pipeline.append("later"))
    assert trips.carried[-1] == ["later"]


def test_when_redis_is_away_everybody_goes_on():
    trips = Trips(failure=redis.ConnectionError("away"))
    together = Together(trips, Guard())
    first = caller(together, "first")
    assert trips.is_under_way.wait(PATIENCE_SECONDS)
    rest = callers(together, ["a", "b"])
    trips.may_return.set()
    assert joined([first, *rest])
    assert trips.carried == [["first"]]  # then the guard asks no more, for a second


def test_a_mistake_in_a_trip_is_told_and_blocks_nobody():
    trips = Trips()
    trips.may_return.set()
    together = Together(trips, Guard())
    with pytest.raises(AttributeError):
        together(lambda pipeline: pipeline.no_such_command())
    together(lambda pipeline: pipeline.append("later"))
    assert trips.carried == [["later"]]
