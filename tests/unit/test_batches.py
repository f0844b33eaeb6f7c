"""What one poll brought, in batches: done, given back, or polled again, and nothing lost."""

import base64
import threading
from itertools import chain

import pytest

from hoist.workers import kafka_source
from tests.unit.kafka_fakes import A, B, FakeConsumer, record


class AllAtOnce(FakeConsumer):
    """A poll brings all that waits."""

    def poll(self, timeout_ms, max_records):
        self.on_poll()
        found = {}
        for one, end in self.ends.items():
            if records := [record(one, n, b"%d" % n) for n in range(self.positions[one], end)]:
                found[one], self.positions[one] = records[:max_records], end
        return found


class Group:
    """Runs a poller with batches of three, for so many polls; ``done`` are the batches it did."""

    def __init__(self):
        self.consumer, self.stopping, self.done = AllAtOnce(), threading.Event(), []
        self.again = lambda name, offset: False
        self.after_batch = lambda: None

    def __call__(self, polls=1):
        left = [polls]

        def on_poll():
            if left[0] == 0:
                self.stopping.set()
                self.consumer.ends = {}
            left[0] -= 1

        self.consumer.on_poll = on_poll
        self.consumer.on_subscribe = lambda listener: listener.on_partitions_assigned({A, B})
        kafka_source.run(self.consumer, ["t"], self._handle, self.stopping, "b:9092", batch_max=3)

    def _handle(self, event, context):
        failures, did = [], []
        for name, records in event["records"].items():
            for one in records:
                assert base64.b64decode(one["value"]) == b"%d" % one["offset"]
                if self.again(name, one["offset"]):
                    place = {"partition": name, "offset": one["offset"]}
                    failures.append({"itemIdentifier": place})
                    break
                did.append((name[-1], one["offset"]))
        self.done.append(did)
        self.after_batch()
        return {"batchItemFailures": failures}


@pytest.fixture
def group(monkeypatch):
    monkeypatch.setattr(kafka_source, "BACKOFF_SECONDS_MAX", 0.0)
    return Group()


def test_a_poll_of_more_than_a_batch_is_done_in_order_and_committed_after_each(group):
    group.consumer.ends = {A: 4, B: 3}
    group()
    assert group.done == [
        [("0", 0), ("0", 1), ("0", 2)],
        [("0", 3), ("1", 0), ("1", 1)],
        [("1", 2)],
    ]
    assert group.consumer.committed == [{A: 3}, {A: 4, B: 2}, {B: 3}]


def test_a_partition_that_goes_back_is_not_touched_behind_that_and_the_others_go_on(group):
    group.consumer.ends = {A: 5, B: 2}
    once = [True]
    group.again = lambda name, offset: (name, offset) == ("t-0", 1) and bool(once and once.pop())
    group(polls=1)
    assert group.done == [[("0", 0)], [("1", 0)], [("1", 1)]]
    assert group.consumer.committed == [{A: 1}, {B: 1}, {B: 2}]
    assert group.consumer.positions == {A: 1, B: 2}


def test_what_went_back_is_polled_and_done_again(group):
    group.consumer.ends = {A: 5, B: 0}
    once = [True]
    group.again = lambda name, offset: offset == 1 and bool(once and once.pop())
    group(polls=2)
    assert list(chain(*group.done)) == [("0", n) for n in range(5)]
    assert group.consumer.committed[-1] == {A: 5}


def test_who_is_told_to_stop_begins_no_other_batch_and_commits_what_is_done(group):
    group.consumer.ends = {A: 4, B: 5}
    group.after_batch = group.stopping.set
    group(polls=5)
    assert group.done == [[("0", 0), ("0", 1), ("0", 2)]]
    assert group.consumer.committed == [{A: 3}]
    assert group.consumer.positions == {A: 3, B: 0}


def test_when_it_takes_long_the_rest_is_polled_again(group, monkeypatch):
    """Members who wait to join wait for a poll."""
    monkeypatch.setattr(kafka_source, "BEGIN_SECONDS_MAX", -1.0)
    group.consumer.ends = {A: 4, B: 3}
    group(polls=3)
    assert [len(batch) for batch in group.done] == [3, 3, 1]
    every = [("0", n) for n in range(4)] + [("1", n) for n in range(3)]
    assert sorted(chain(*group.done)) == every
    assert group.consumer.positions == {A: 4, B: 3}
