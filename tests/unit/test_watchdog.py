"""A partition that the library forgot ends the process; nothing else does."""

import pytest

from hoist.workers.watchdog import FETCH_BYTES_MAX, Stuck, Watchdog
from tests.unit.fake_consumer import A, B, FakeConsumer, Seconds, record


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def consumer():
    return FakeConsumer()


@pytest.fixture
def watchdog(consumer, clock):
    return Watchdog(consumer, clock)


def poll(watchdog, clock, seconds, brought=None, held=(A, B)):
    """*seconds* of polls of half a second, each bringing what *brought* gives."""
    for _ in range(int(seconds * 2)):
        clock.now += 0.5
        watchdog.polled(brought() if brought else {}, 0.5)
        watchdog.look(held)


def test_a_partition_that_gives_nothing_though_records_wait_is_stuck_after_30_s(
    consumer, watchdog, clock
):
    consumer.ends[A] = 10
    poll(watchdog, clock, 34.5)
    with pytest.raises(Stuck, match="is stuck at 0"):
        poll(watchdog, clock, 1)


def test_one_that_is_at_its_end_may_wait_for_ever(watchdog, clock):
    poll(watchdog, clock, 600)


def test_one_that_moves_is_not_stuck_however_far_behind(consumer, watchdog, clock):
    consumer.ends[A] = 1_000_000

    def brought():
        consumer.positions[A] += 1
        return {A: [record(A, consumer.positions[A])]}

    poll(watchdog, clock, 600, brought)


def test_one_that_moves_over_what_is_no_record_is_not_stuck(consumer, watchdog, clock):
    consumer.ends[A] = 1_000_000
    for _ in range(100):
        consumer.positions[A] += 1
        poll(watchdog, clock, 6)


def test_the_same_batch_again_and_again_is_an_outage_and_no_reason_to_exit(
    consumer, watchdog, clock
):
    consumer.ends[A] = 10
    poll(watchdog, clock, 600, lambda: {A: [record(A, 0)]})


def test_while_no_broker_answers_nobody_is_stuck_and_after_it_the_time_begins_anew(
    consumer, watchdog, clock
):
    consumer.ends[A] = 10
    poll(watchdog, clock, 30)
    consumer.is_away = True
    poll(watchdog, clock, 600)
    consumer.is_away = False
    poll(watchdog, clock, 30)
    with pytest.raises(Stuck):
        poll(watchdog, clock, 10)


def test_a_group_that_is_being_rearranged_holds_nothing(consumer, watchdog, clock):
    consumer.ends[A] = 10
    poll(watchdog, clock, 600, held=())


def test_rearranging_every_few_seconds_does_not_hide_it(consumer, watchdog, clock):
    consumer.ends[A] = 10
    with pytest.raises(Stuck):
        for _ in range(20):
            poll(watchdog, clock, 5)
            poll(watchdog, clock, 1, held=())


def test_minutes_of_work_on_another_partition_are_no_reason(consumer, watchdog, clock):
    consumer.ends |= {A: 10, B: 10}
    for _ in range(10):
        clock.now += 14 * 60
        watchdog.polled({B: [record(B, 0)]}, 0.001)
        watchdog.look((A, B))


def test_others_served_without_end_do_not_hide_it(consumer, watchdog, clock):
    consumer.ends |= {A: 10, B: 10_000}
    large = [record(B, 0, b"x" * FETCH_BYTES_MAX)]
    with pytest.raises(Stuck):
        for _ in range(100):
            clock.now += 1
            watchdog.polled({B: large}, 0.001)
            watchdog.look((A, B))
