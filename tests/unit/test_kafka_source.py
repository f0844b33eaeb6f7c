"""Kafka to a function: what is committed and when, what comes again, what ends the process."""

import math
import threading
from functools import partial
from types import SimpleNamespace

import pytest
from kafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaTimeoutError,
)

from hoist.workers import __main__ as workers
from hoist.workers import kafka_source
from hoist.workers import offsets as offsets_module
from hoist.workers.offsets import Offsets
from hoist.workers.watchdog import Stuck, Watchdog
from tests.unit.fake_consumer import A, B, FakeConsumer, Seconds


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def consumer():
    return FakeConsumer()


class Runs:
    """The poller on a fake consumer that holds both partitions."""

    def __init__(self, consumer):
        self.consumer, self.stopping, self.batch_max = consumer, threading.Event(), 10

    def __call__(self, handler, polls):
        left = [polls]

        def on_poll():
            if left[0] == polls:
                self.consumer.listener.on_partitions_assigned({A, B})
            left[0] -= 1
            if left[0] <= 0:
                self.stopping.set()

        self.consumer.on_poll = on_poll
        kafka_source.run(
            self.consumer, ["t"], handler, self.stopping, "b:9092", batch_max=self.batch_max
        )


@pytest.fixture
def runs(consumer):
    return Runs(consumer)


def fine(event, context):
    return {"batchItemFailures": []}


def test_what_a_broker_did_not_take_is_committed_the_next_time(consumer, runs, monkeypatch):
    monkeypatch.setattr(offsets_module, "COMMIT_AFTER_SECONDS", 0)
    monkeypatch.setattr(offsets_module, "PUT_OFF_SECONDS", 0)
    consumer.ends[A] = 1
    consumer.refusals = [KafkaTimeoutError()]
    runs(fine, polls=3)
    assert consumer.committed_at_poll == [[], [], [{A: 1}]]
    assert consumer.closed


def test_batches_that_follow_each_other_are_committed_together(consumer, runs, monkeypatch):
    monkeypatch.setattr(kafka_source, "Offsets", partial(Offsets, clock=lambda: 7.0))
    consumer.ends[A] = 3
    runs(fine, polls=3)
    assert consumer.committed_at_poll == [[], [], []]
    assert consumer.waits_ms == [500, pytest.approx(100), pytest.approx(100)], "until it is due"
    assert consumer.committed == [{A: 3}]


def test_where_one_record_may_take_minutes_the_last_is_committed_before_the_next(consumer, runs):
    consumer.ends[A], runs.batch_max = 2, 1
    runs(fine, polls=2)
    assert consumer.committed_at_poll == [[], [{A: 1}]]


def test_a_batch_that_took_long_is_committed_at_once(consumer, clock):
    offsets = Offsets(consumer, ["t"], clock)
    offsets.on_partitions_assigned({A})
    assert offsets.due_in_seconds == math.inf
    offsets.begin()
    assert 0 < offsets.due_in_seconds < 1
    clock.now = 60
    offsets.begin()
    offsets.done(A, 1, 0)
    assert offsets.due_in_seconds == 0
    offsets.commit()
    assert (consumer.committed, offsets.due_in_seconds) == ([{A: 1}], math.inf)


def test_what_is_wanted_again_keeps_nobody_from_committing_what_is_done(
    consumer, runs, monkeypatch
):
    monkeypatch.setattr(kafka_source, "BACKOFF_SECONDS_MAX", 0.0)
    consumer.ends |= {A: 1, B: 1}

    def only_a(event, context):
        [(partition, [one])] = event["records"].items()
        place = {"partition": partition, "offset": one["offset"]}
        return {"batchItemFailures": [{"itemIdentifier": place}] if partition == "t-1" else []}

    runs(only_a, polls=3)
    assert consumer.committed_at_poll == [[], [], [{A: 1}]]


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
    runs(fine, polls=1)
    assert consumer.committed == [{A: 1}]


def test_a_commit_of_somebody_who_is_out_of_the_group_is_not_tried_again(consumer, runs):
    consumer.ends[A] = 1
    consumer.refusals = [CommitFailedError()]
    runs(fine, polls=3)
    assert consumer.committed == []


@pytest.fixture
def two(consumer):
    """Offsets of both partitions, with something done of each."""
    offsets = Offsets(consumer, ["t"])
    offsets.on_partitions_assigned({A, B})
    offsets.done(A, 5, 0)
    offsets.done(B, 7, 0)
    return offsets


def test_a_partition_given_up_is_committed_on_the_way_and_then_no_more(consumer, two):
    two.on_partitions_revoked({A})
    assert (set(two.held), consumer.committed) == ({B}, [{A: 5}])
    consumer.unheard.pop()(None)
    two.on_partitions_assigned({A})
    two.commit()
    assert consumer.committed == [{A: 5}, {B: 7}], "what was done before is the next owner's now"


def test_what_is_given_up_given_back_and_was_not_committed_is_committed_again(consumer, two):
    two.on_partitions_revoked({A, B})
    consumer.unheard.pop()(KafkaTimeoutError())
    two.on_partitions_assigned({A})
    assert two.due_in_seconds < 1
    two.commit()
    assert consumer.committed == [{A: 5, B: 7}, {A: 5}]


def test_what_went_to_somebody_else_is_not_committed_when_it_comes_back(consumer, two):
    two.on_partitions_revoked({A, B})
    consumer.unheard.pop()(KafkaTimeoutError())
    two.on_partitions_assigned({A})
    two.commit()
    two.on_partitions_assigned({B})
    two.commit()
    assert consumer.committed == [{A: 5, B: 7}, {A: 5}]


def test_a_partition_that_was_lost_is_not_committed_not_even_what_was_being_done(consumer):
    offsets = Offsets(consumer, ["t"])
    offsets.on_partitions_assigned({A})
    offsets.done(A, 5, 0)
    offsets.on_partitions_lost({A})
    offsets.done(A, 6, 0)  # the batch in hand ends
    offsets.on_partitions_assigned({A})
    offsets.commit()
    assert consumer.committed == []


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
