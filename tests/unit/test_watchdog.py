"""A partition that the library forgot ends the process; nothing else does."""

import threading
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaTimeoutError,
)

from hoist.workers import __main__ as workers
from hoist.workers import kafka_source
from hoist.workers.offsets import Offsets
from hoist.workers.watchdog import FETCH_BYTES_MAX, Stuck, Watchdog

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class FakeConsumer:
    """``ends`` and ``positions`` by partition; ``forgotten`` ones are never fetched."""

    def __init__(self):
        self.ends, self.positions = {A: 0, B: 0}, {A: 0, B: 0}
        self.forgotten, self.is_away, self.closed = set(), False, False
        self.committed, self.refusals, self.listener = [], [], None
        self.committed_at_poll, self.on_poll = [], lambda: None

    def subscribe(self, topics, listener):
        self.listener = listener

    def partitions_for_topic(self, topic):
        return {0, 1}

    def paused(self):
        return set()

    def end_offsets(self, partitions, timeout_ms):
        if self.is_away:
            raise KafkaTimeoutError
        return {one: self.ends[one] for one in partitions}

    def position(self, partition, timeout_ms):
        return self.positions[partition]

    def seek(self, partition, offset):
        self.positions[partition] = offset

    def poll(self, timeout_ms, max_records):
        self.committed_at_poll.append(list(self.committed))
        self.on_poll()
        for one, end in self.ends.items():
            if one not in self.forgotten and self.positions[one] < end:
                offset = self.positions[one]
                self.positions[one] += 1
                return {one: [record(one, offset)]}
        return {}

    def commit(self, offsets, timeout_ms):
        if self.refusals:
            raise self.refusals.pop(0)
        self.committed.append({one: told.offset for one, told in offsets.items()})

    def close(self, timeout_ms):
        self.closed = True


def record(partition, offset, value=b"x"):
    return SimpleNamespace(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=None,
        value=value,
        headers=[],
        leader_epoch=0,
    )


class Seconds:
    now = 0.0

    def __call__(self):
        return self.now


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


class Runs:
    """The poller on a fake consumer that holds both partitions."""

    def __init__(self, consumer):
        self.consumer, self.stopping = consumer, threading.Event()

    def __call__(self, handler, polls):
        left = [polls]

        def on_poll():
            if left[0] == polls:
                self.consumer.listener.on_partitions_assigned({A, B})
            left[0] -= 1
            if left[0] <= 0:
                self.stopping.set()

        self.consumer.on_poll = on_poll
        kafka_source.run(self.consumer, ["t"], handler, self.stopping, "b:9092", batch_max=1)


@pytest.fixture
def runs(consumer):
    return Runs(consumer)


def fine(event, context):
    return {"batchItemFailures": []}


def test_what_a_broker_did_not_take_is_committed_before_the_next_poll(consumer, runs):
    consumer.ends[A] = 1
    consumer.refusals = [KafkaTimeoutError()]
    runs(fine, polls=2)
    assert consumer.committed_at_poll == [[], [{A: 1}]]
    assert consumer.closed


def test_a_broker_that_is_gone_ends_no_worker(consumer, runs):
    consumer.ends[A], polls, whole = 2, [], runs.consumer.poll

    def poll(**limits):
        polls.append(limits)
        if len(polls) == 2:
            raise KafkaConnectionError("111 ECONNREFUSED")
        return whole(**limits)

    consumer.poll = poll
    runs(fine, polls=2)
    assert consumer.committed == [{A: 1}, {A: 2}]


def test_what_was_done_last_is_committed_on_the_way_out(consumer, runs):
    consumer.ends[A] = 1
    consumer.refusals = [KafkaTimeoutError()]
    runs(fine, polls=1)
    assert consumer.committed == [{A: 1}]


def test_a_commit_of_somebody_who_is_out_of_the_group_is_not_tried_again(consumer, runs):
    consumer.ends[A] = 1
    consumer.refusals = [CommitFailedError()]
    runs(fine, polls=3)
    assert consumer.committed == []


@pytest.mark.parametrize("event", ["on_partitions_revoked", "on_partitions_lost"])
def test_a_partition_given_up_is_not_committed_any_more(consumer, event):
    offsets = Offsets(consumer, ["t"])
    offsets.on_partitions_assigned({A, B})
    offsets.done(A, 5, 0)
    offsets.done(B, 7, 0)
    getattr(offsets, event)({A})
    assert set(offsets.held) == {B}
    offsets.commit()
    assert consumer.committed == [{B: 7}]
    offsets.on_partitions_assigned({A})
    offsets.commit()
    assert consumer.committed == [{B: 7}], "what was done before is the next owner's now"


def test_a_function_that_wants_all_again_is_given_all_again_and_nothing_is_committed(
    consumer, runs, monkeypatch
):
    consumer.ends[A] = 1
    monkeypatch.setattr(kafka_source, "BACKOFF_SECONDS_MAX", 0.0)
    seen = []

    def wants_it_again(event, context):
        [(partition, [one])] = event["records"].items()
        seen.append(one["offset"])
        place = {"partition": partition, "offset": one["offset"]}
        return {"batchItemFailures": [{"itemIdentifier": place}]}

    runs(wants_it_again, polls=5)
    assert seen == [0] * 5
    assert consumer.committed == []


def test_what_no_broker_will_ever_allow_ends_the_process(consumer, runs, monkeypatch):
    def refuses(**options):
        raise GroupAuthorizationFailedError

    monkeypatch.setattr(consumer, "poll", refuses)
    with pytest.raises(GroupAuthorizationFailedError):
        runs(fine, polls=2)
    assert consumer.closed


def test_a_stuck_partition_ends_the_process_with_an_error(consumer, runs, monkeypatch):
    class Barks(Watchdog):
        def look(self, held):
            raise Stuck("t-0 is stuck")

    monkeypatch.setattr(kafka_source, "Watchdog", Barks)
    with pytest.raises(SystemExit, match="stuck"):
        runs(fine, polls=5)
    assert consumer.closed


def test_one_stuck_thread_of_the_retries_ends_them_all(monkeypatch):
    ended = []

    def run(consumer, topics, handler, stopping, servers, batch_max):
        if consumer == "metadata-handler.retry":
            return  # as a thread ends that raises SystemExit
        stopping.wait(30)
        ended.append(consumer)

    settings = SimpleNamespace(kafka_bootstrap="b:9092", topic_prefix="")
    services = SimpleNamespace(settings=settings, consumer=lambda group, work_seconds_max: group)
    monkeypatch.setattr(kafka_source, "run", run)
    with pytest.raises(SystemExit, match="the retries of metadata-handler ended"):
        workers.poll_retries(services, threading.Event())
    assert sorted(ended) == ["archives.retry", "upload-basic.retry", "upload-premium.retry"]
