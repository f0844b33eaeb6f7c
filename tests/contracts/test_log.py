"""MessageLog: acknowledged means kept, in order for each key."""

import secrets

import pytest
from kafka import KafkaConsumer, TopicPartition

from hoist.adapters import kafka
from hoist.domain.errors import Malformed, Unavailable
from hoist.domain.ports import Message


@pytest.fixture(params=["memory", "kafka"])
def log(request):
    return request.getfixturevalue(f"{request.param}_log")


def test_positions_come_back_in_the_order_of_the_messages(log, topic):
    key = secrets.token_hex(4)
    messages = [Message(topic, key, str(number).encode()) for number in range(20)]
    positions = log.append(messages)
    assert {position.topic for position in positions} == {topic}
    assert len({position.partition for position in positions}) == 1
    offsets = [position.offset for position in positions]
    assert offsets == list(range(offsets[0], offsets[0] + 20))


def test_a_later_append_of_a_key_comes_behind_the_earlier_one(log, topic):
    (first,) = log.append([Message(topic, "ada", b"1")])
    (second,) = log.append([Message(topic, "ada", b"2")])
    assert (first.partition, first.offset) < (second.partition, second.offset)
    assert first.partition == second.partition


def test_nothing_appended_is_nothing_to_wait_for(log):
    assert log.append([]) == []


def test_bytes_key_and_headers_arrive_as_they_were_sent(kafka_log, bootstrap, topic):
    value, headers = bytes(range(256)), [("traceparent", b"00-1"), ("raw", b"\x80\xff\x00")]
    (place,) = kafka_log.append([Message(topic, "auth0|ädä", value, headers)])
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        partition = TopicPartition(place.topic, place.partition)
        consumer.assign([partition])
        consumer.seek(partition, place.offset)
        (found,) = consumer.poll(timeout_ms=20_000, max_records=1)[partition]
    finally:
        consumer.close()
    assert (found.key, found.value) == ("auth0|ädä".encode(), value)
    assert list(found.headers) == headers


def test_a_topic_that_is_not_there_is_unavailable_and_the_others_go_on(bootstrap, topic):
    log = kafka.KafkaLog(bootstrap)  # of its own: it goes on asking brokers for the topic
    with pytest.raises(Unavailable):
        log.append([Message("contracts-never", "ada", b"1")])
    with pytest.raises(Unavailable):
        log.ready("contracts-never")
    log.ready(topic)
    assert log.append([Message(topic, "ada", b"1")])
    log.close()


@pytest.mark.parametrize("size", [1_000_001, 1_500_000, 3_000_000])
def test_a_message_no_broker_takes_is_no_outage_and_costs_nobody_the_producer(
    kafka_log, topic, size
):
    kafka_log.ready(topic)
    producer = kafka_log._producer
    with pytest.raises(Malformed, match="too large"):
        kafka_log.append([Message(topic, "ada", b"x" * size)])
    assert kafka_log._producer is producer
    assert kafka_log.append([Message(topic, "ada", b"x" * 999_990)])
    assert kafka_log.append([Message(topic, "ada", b"1")])


def test_a_log_that_was_closed_opens_again(bootstrap, topic):
    log = kafka.KafkaLog(bootstrap)
    log.append([Message(topic, "ada", b"1")])
    log.close()
    log.close()
    assert log.append([Message(topic, "ada", b"2")])
    log.close()


def test_without_brokers_it_says_so_and_the_next_caller_does_not_wait_again(unused_port):
    log = kafka.KafkaLog(f"127.0.0.1:{unused_port}")
    for _ in range(2):
        with pytest.raises(Unavailable):
            log.append([Message("hoist.metadata", "ada", b"1")])
    assert log._away_until > 0
