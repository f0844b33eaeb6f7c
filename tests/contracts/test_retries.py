"""The ladder on real topics: one record's failure is tried again later, and nobody waits for it."""

import secrets
import threading
import time

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from hoist.adapters import kafka
from hoist.domain.errors import Unavailable
from hoist.domain.messages import RETRY_SECONDS, dead_letter_topic, retry_topic
from hoist.domain.ports import Message
from hoist.lambdas.topics import failures, received
from hoist.pipeline.delivery import Delivery
from hoist.workers import kafka_source

PATIENCE_SECONDS = 60


@pytest.fixture
def group():
    return f"g-{secrets.token_hex(4)}"


@pytest.fixture
def topics(bootstrap, group):
    """A topic, and the ladder and dead letters of its group."""
    names = [f"t-{group}", dead_letter_topic(group)]
    names += [retry_topic(group, seconds) for seconds in RETRY_SECONDS]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        admin.close()
    return names


@pytest.fixture
def running(bootstrap, kafka_log, group, topics):
    """Both pollers of a group around *step*, as the workers run them."""
    stopping, threads = threading.Event(), []

    def start(step):
        now = lambda: time.time_ns() // 1_000_000  # noqa: E731
        delivery = Delivery(kafka_log, group, now, is_up=lambda: True)

        def handler(event, context):
            return failures(delivery.run(list(received(event)), bytes, step))

        for name, of in ((group, topics[:1]), (f"{group}.retry", topics[2:])):
            consumer = kafka.consumer(bootstrap, group=name, work_seconds_max=60)
            arguments = (consumer, of, handler, stopping, bootstrap, 100)
            threads.append(threading.Thread(target=kafka_source.run, args=arguments))
            threads[-1].start()

    yield start
    stopping.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)


def test_a_record_that_fails_alone_is_done_later_and_its_neighbours_at_once(
    kafka_log, topics, running
):
    done, all_done = [], threading.Event()

    def step(items):
        for item in items:
            if item.message == b"3" and item.origin.topic == topics[0]:
                raise Unavailable("somebody is in the way")
        done.extend(item.message for item in items)
        if len(set(done)) == 10:
            all_done.set()

    kafka_log.append([Message(topics[0], "k", str(number).encode()) for number in range(10)])
    running(step)
    assert all_done.wait(PATIENCE_SECONDS), done
    assert done[-1] == b"3", "the others did not wait"
    assert sorted(set(done)) == [str(number).encode() for number in range(10)]
