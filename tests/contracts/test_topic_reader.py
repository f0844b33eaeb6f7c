"""TopicReader: from any place on, to the end as it was, at the reader's own pace."""

import secrets
from collections import Counter

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from hoist.adapters import kafka_reader
from hoist.domain.errors import Unavailable
from hoist.domain.ports import Message


@pytest.fixture(params=["memory", "kafka"])
def both(request):
    """A log, and a reader of what is in it."""
    log = request.getfixturevalue(f"{request.param}_log")
    if request.param == "memory":
        return log, log
    bootstrap = request.getfixturevalue("bootstrap")
    return log, kafka_reader.KafkaTopicReader(bootstrap)


@pytest.fixture
def one_partition(bootstrap):
    name = f"contracts-{secrets.token_hex(4)}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        admin.close()
    return name


def read(reader, topic, offset):
    return [record for batch in reader.since(topic, offset) for record in batch]


def test_it_reads_from_any_place_to_the_end_in_order(both, one_partition):
    log, reader = both
    log.append([Message(one_partition, "ada", str(number).encode()) for number in range(1_200)])
    assert [record.offset for record in read(reader, one_partition, 0)] == list(range(1_200))
    assert [record.value for record in read(reader, one_partition, 1_198)] == [b"1198", b"1199"]
    assert read(reader, one_partition, 1_200) == []
    assert read(reader, one_partition, 5_000) == []


def test_an_empty_topic_has_nothing(both, one_partition):
    assert read(both[1], one_partition, 0) == []


def test_what_was_appended_is_there_at_once_and_bytes_are_untouched(both, one_partition):
    log, reader = both
    value, headers = bytes(range(256)), [("raw", b"\x80\xff\x00"), ("raw", b"")]
    (place,) = log.append([Message(one_partition, "auth0|ädä", value, headers)])
    (record,) = read(reader, one_partition, place.offset)
    assert (record.key, record.value) == ("auth0|ädä".encode(), value)
    assert record.headers == tuple(headers)


def test_what_comes_while_somebody_reads_is_for_the_next_time(both, one_partition):
    log, reader = both
    log.append([Message(one_partition, "ada", b"1")] * 3)
    count = 0
    for batch in reader.since(one_partition, 0):
        count += len(batch)
        log.append([Message(one_partition, "ada", b"2")] * 3)
    assert count == 3
    assert len(read(reader, one_partition, 3)) == 3


def test_whoever_stops_early_leaves_nothing_open(both, one_partition):
    log, reader = both
    log.append([Message(one_partition, "ada", b"1")] * 3)
    coming = reader.since(one_partition, 0)
    next(coming)
    coming.close()
    assert len(read(reader, one_partition, 0)) == 3


def test_of_several_partitions_the_older_record_comes_first(bootstrap):
    """However many there are of each: a user's later events may be in a partition added later."""
    name = f"contracts-{secrets.token_hex(4)}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(name, 3, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    counts = {2: 1_300, 0: 700, 1: 3}
    at = 1_700_000_000_000
    for partition, count in counts.items():
        for _ in range(count):
            at += 1
            producer.send(name, b"x", partition=partition, timestamp_ms=at)
    producer.close()
    reader = kafka_reader.KafkaReader(bootstrap)
    told = [record for batch in reader.read(name) for record in batch]
    assert [record.timestamp_ms for record in told] == sorted(r.timestamp_ms for r in told)
    assert Counter(record.partition for record in told) == counts
    assert [record for batch in reader.read(name) for record in batch] == []


def test_a_topic_that_is_not_there_and_brokers_that_do_not_answer_are_unavailable(
    bootstrap, unused_port
):
    for servers in (bootstrap, f"127.0.0.1:{unused_port}"):
        with pytest.raises(Unavailable):
            list(kafka_reader.KafkaTopicReader(servers).since("contracts-never", 0))
