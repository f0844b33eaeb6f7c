"""Joins run once each, and so many at once."""

import threading

import pytest

from hoist.domain.errors import Busy
from hoist.gateway.joins import OF_ONE_MAX, RUNNING_MAX, WAITING_MAX, Joins

PATIENCE_SECONDS = 30


@pytest.fixture
def gate():
    """Nothing is joined before it opens."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def joins(gate):
    return Joins(lambda user_id, file_id: gate.wait(PATIENCE_SECONDS))


def test_a_user_who_joins_too_many_is_busy_and_others_are_not(joins, gate):
    for number in range(OF_ONE_MAX):
        assert not joins.run("ada", str(number), 0)
    with pytest.raises(Busy):
        joins.run("ada", "one more", 0)
    assert not joins.run("ada", "0", 0), "asking again starts nothing"
    assert not joins.run("grace", "hers", 0)
    gate.set()
    assert joins.run("grace", "hers", PATIENCE_SECONDS)


def test_all_users_together_have_a_bound(joins):
    for number in range(RUNNING_MAX):
        assert not joins.run(f"user-{number}", "file", 0)
    with pytest.raises(Busy):
        joins.run("ada", "file", 0)


def test_only_so_many_wait_for_one_users_joins(joins, gate):
    refused = threading.Semaphore(0)

    def wait():
        try:
            joins.run("ada", "file")
        except Busy:
            refused.release()

    threads = [threading.Thread(target=wait) for _ in range(WAITING_MAX + 3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert refused.acquire(timeout=PATIENCE_SECONDS)
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not refused.acquire(blocking=False)
    assert joins.run("ada", "another", PATIENCE_SECONDS)
