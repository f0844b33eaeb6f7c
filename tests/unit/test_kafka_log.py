"""When the producer that all topics share is replaced, and what its callers hear of that."""

import threading
from types import SimpleNamespace

import pytest
from kafka.errors import IllegalStateError, KafkaTimeoutError

from hoist.adapters import kafka
from hoist.domain.errors import Busy
from hoist.domain.ports import Message

PATIENCE_SECONDS = 30


class Producer:
    """Knows all topics but ``missing``, and never hears of the ack of ``mute``."""

    def __init__(self):
        self.closed, self.meanwhile = threading.Event(), lambda: None

    def send(self, topic, **message):
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.closed.is_set():
            raise IllegalStateError("KafkaProducer already closed!")
        if topic == "missing":
            raise KafkaTimeoutError("Failed to update metadata")
        return SimpleNamespace(get=lambda timeout: self._acked(topic))

    def partitions_for(self, topic):
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.closed.is_set():
            raise RuntimeError("NetworkSelector closed!")  # as kafka-python 3.0.12 does
        return {0}

    def close(self, timeout):
        self.closed.set()

    def _acked(self, topic):
        if topic == "mute":
            raise KafkaTimeoutError("Timeout after waiting")
        return SimpleNamespace(topic=topic, partition=0, offset=7)


@pytest.fixture
def made(monkeypatch):
    """The producers, in the order in which they were made."""
    made = []

    def producer(bootstrap):
        made.append(Producer())
        return made[-1]

    monkeypatch.setattr(kafka, "producer", producer)
    return made


@pytest.fixture
def log(made):
    return kafka.KafkaLog("nowhere:9092")


def append(log, topic):
    return log.append([Message(topic, "ada", b"1")])


def is_busy(log, topic):
    with pytest.raises(Busy):
        append(log, topic)
    return True


def test_a_topic_that_is_not_there_costs_the_others_no_producer(log, made):
    assert is_busy(log, "missing")
    assert append(log, "there")
    assert len(made) == 1
    assert not made[0].closed.is_set()


def test_after_a_missed_ack_there_is_another_producer(log, made):
    assert is_busy(log, "mute")
    assert append(log, "there")
    assert len(made) == 2
    assert made[0].closed.wait(PATIENCE_SECONDS)


def test_who_had_picked_up_the_one_that_was_replaced_is_answered_by_the_next(log, made):
    append(log, "there")

    def replaced():
        assert is_busy(log, "mute")
        assert made[0].closed.wait(PATIENCE_SECONDS)

    made[0].meanwhile = replaced
    assert append(log, "there")
    assert len(made) == 2
    log.ready("there")


def test_one_that_is_closed_by_itself_is_replaced(log, made):
    append(log, "there")
    made[0].closed.set()
    assert append(log, "there")
    assert append(log, "there")
    assert len(made) == 2


def test_who_asked_the_one_that_was_replaced_is_to_ask_again(log, made):
    append(log, "there")
    made[0].meanwhile = made[0].closed.set
    with pytest.raises(Busy):
        log.ready("there")
    log.ready("there")
    assert len(made) == 2
