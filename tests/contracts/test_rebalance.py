"""A group whose members come and go: nothing lost, nothing stuck, no offset ever set back."""

import base64
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from hoist.adapters import kafka
from hoist.domain.ports import Message
from hoist.workers import kafka_source, offsets
from hoist.workers.offsets import Offsets
from hoist.workers.watchdog import Stuck, Watchdog

PARTITIONS, FLOW_SECONDS, VISIT_SECONDS = 6, 25, 3.0
IDLE_SECONDS_MAX = 20
SESSION_SECONDS = 10


@pytest.fixture
def flow_topic(bootstrap):
    name = f"contracts-flow-{secrets.token_hex(4)}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    finally:
        admin.close()
    return name


class Member:
    """One poller of the group in a thread, on a real consumer whose commits are noted."""

    def __init__(self, bootstrap, topic, group, handler, committed):
        self.consumer = kafka.consumer(bootstrap, group=group, work_seconds_max=60)
        self.stopping, self.problems = threading.Event(), []
        self._note(committed)
        arguments = (self.consumer, [topic], handler, self.stopping, bootstrap, 20)
        self.thread = threading.Thread(target=self._run, args=arguments)
        self.thread.start()

    def _note(self, committed):
        commit, commit_async = self.consumer.commit, self.consumer.commit_async

        def note(offsets):
            committed.extend((one.partition, told.offset) for one, told in offsets.items())

        def noting(offsets, timeout_ms):
            commit(offsets, timeout_ms=timeout_ms)
            note(offsets)

        def noting_async(offsets, callback):
            note(offsets)
            return commit_async(offsets, callback=callback)

        self.consumer.commit, self.consumer.commit_async = noting, noting_async

    def _run(self, *arguments):
        try:
            kafka_source.run(*arguments)
        except BaseException as problem:
            self.problems.append(problem)

    def leave(self):
        """How long it took."""
        began = time.monotonic()
        self.stopping.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        assert self.problems == []
        return time.monotonic() - began


@pytest.fixture
def group(bootstrap, flow_topic):
    """Members are made by ``join``; ``seen`` is what they were given, and when."""
    name = f"contracts-{secrets.token_hex(4)}"
    seen, last, committed, members = Counter(), {}, [], []

    def handler(event, context):
        for records in event["records"].values():
            for one in records:
                seen[base64.b64decode(one["value"]).decode()] += 1
                last[one["partition"]] = time.monotonic()
        return {"batchItemFailures": []}

    def join():
        members.append(Member(bootstrap, flow_topic, name, handler, committed))
        return members[-1]

    yield SimpleNamespace(name=name, join=join, seen=seen, last=last, committed=committed)
    for member in members:
        member.stopping.set()
        member.thread.join(30)


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def send(kafka_log, flow_topic):
    """Appends each text, spread over the partitions."""

    def send(texts):
        kafka_log.append([Message(flow_topic, text, text.encode()) for text in texts])

    return send


def test_members_that_join_and_leave_lose_nothing_and_set_nothing_back(group, send):
    sent, longest_idle, visitor = 0, 0.0, None
    group.join()
    next_change = time.monotonic() + VISIT_SECONDS
    ends = time.monotonic() + FLOW_SECONDS
    while time.monotonic() < ends:
        send([str(n) for n in range(sent, sent + 30)])
        sent += 30
        now = time.monotonic()
        longest_idle = max([longest_idle, *(now - at for at in group.last.values())])
        if now >= next_change:
            next_change = now + VISIT_SECONDS
            if visitor is None:
                visitor = group.join()
            else:
                visitor.leave()
                visitor = None
        time.sleep(0.1)  # as load has it, not to wait for anything
    until(lambda: len(group.seen) == sent)
    assert len(group.last) == PARTITIONS
    assert longest_idle < IDLE_SECONDS_MAX
    for partition in range(PARTITIONS):
        offsets = [offset for where, offset in group.committed if where == partition]
        assert offsets == sorted(offsets), f"partition {partition} was set back"


def test_one_that_leaves_frees_its_partitions_at_once(group, send):
    """Not after the session timeout: it says good-bye."""
    first = group.join()
    send([f"a-{n}" for n in range(60)])
    until(lambda: len(group.seen) == 60)
    assert first.leave() < 5
    group.join()
    send([f"b-{n}" for n in range(60)])
    until(lambda: len(group.seen) == 120, SESSION_SECONDS - 2)
    assert set(group.seen.values()) == {1}, "all was committed before it left"


def test_what_is_done_of_partitions_that_are_given_up_is_committed_on_the_way(
    group, send, monkeypatch
):
    monkeypatch.setattr(offsets, "COMMIT_AFTER_SECONDS", 600)
    group.join()
    send([f"a-{n}" for n in range(60)])
    until(lambda: len(group.seen) == 60)
    assert not group.committed
    second = group.join()
    until(lambda: second.consumer.assignment())
    send([f"b-{n}" for n in range(60)])
    until(lambda: len(group.seen) == 120)
    assert set(group.seen.values()) == {1}


WORKER = """
import sys, time
from hoist.adapters import kafka
from hoist.workers import kafka_source
from hoist.workers.__main__ import stop_on_signals

def handler(event, context):
    print("working", flush=True)
    time.sleep(60)

servers, group, topic = sys.argv[1:]
stopping = stop_on_signals()
consumer = kafka.consumer(servers, group=group, work_seconds_max=90)
kafka_source.run(consumer, [topic], handler, stopping, servers, 20)
"""


def test_work_that_does_not_end_is_given_up_within_ten_seconds_and_delivered_again(
    group, send, bootstrap, flow_topic
):
    command = [sys.executable, "-c", WORKER, bootstrap, group.name, flow_topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        send(["one"])
        assert worker.stdout.readline() == "working\n"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 1
    group.join()
    until(lambda: group.seen == {"one": 1}, SESSION_SECONDS - 2)


def test_the_watchdog_hears_from_a_real_broker_what_waits(bootstrap, flow_topic, send):
    consumer = kafka.consumer(bootstrap, group=secrets.token_hex(4), work_seconds_max=60)
    try:
        offsets = Offsets(consumer, [flow_topic])
        until(lambda: consumer.poll(timeout_ms=100) or len(offsets.held) == PARTITIONS)
        now = [0.0]
        watchdog = Watchdog(consumer, lambda: now[0])
        for _ in range(10):
            now[0] += 6
            watchdog.polled({}, 6)
            watchdog.look(offsets.held)
        send(["one"])
        with pytest.raises(Stuck, match="is stuck at 0"):
            for _ in range(10):
                now[0] += 6
                watchdog.polled({}, 6)
                watchdog.look(offsets.held)
    finally:
        consumer.close()
