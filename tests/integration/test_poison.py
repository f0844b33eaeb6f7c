"""A record nobody can read must not stop a partition: it is set aside, whole, with its origin."""

import json
import secrets

import boto3
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.e2e.raw_client import RawSocket, describe, put

PATIENCE_MS = 30_000
NEWER = b'{"version": 99, "type": "file.stored"}'
POISON = [
    b"not json",
    b"\xff\xfe\x00",
    b"{}",
    NEWER,
    b"[" * 60_000,
    b'{"a": NaN}',
    b"x" * 900_000,
    None,
]


@pytest.fixture
def producer(stack):
    producer = KafkaProducer(bootstrap_servers=stack.settings["HOIST_KAFKA_BOOTSTRAP"])
    yield producer
    producer.close()


def dead_letters(stack, topic, mark):
    """The dead letters that carry our *mark*, read from the start until all are seen."""
    consumer = KafkaConsumer(
        bootstrap_servers=stack.settings["HOIST_KAFKA_BOOTSTRAP"], enable_auto_commit=False
    )
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found = []
    try:
        while len(found) < len(POISON):
            polled = consumer.poll(timeout_ms=PATIENCE_MS)
            assert polled, f"only {len(found)} of {len(POISON)} arrived"
            for record in polled[partition]:
                if (b"mark", mark) in [(name.encode(), value) for name, value in record.headers]:
                    found.append(record)
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize(
    ("topic", "group", "role"),
    [
        ("hoist.ingest.basic", "upload-basic", "ada"),
        ("hoist.ingest.premium", "upload-premium", "grace"),
        ("hoist.metadata", "metadata-handler", "ada"),
    ],
)
def test_poison_is_set_aside_with_its_origin_and_the_partition_goes_on(
    stack, producer, topic, group, role
):
    mark = secrets.token_hex(8).encode()
    sent = []
    for partition in sorted(producer.partitions_for(topic)):
        for value in POISON[partition :: len(producer.partitions_for(topic))]:
            future = producer.send(
                topic, key=b"poison", value=value, partition=partition, headers=[("mark", mark)]
            )
            sent.append((future.get(timeout=30), value))

    body = b"behind the poison"
    with RawSocket(stack.url, stack.new_user(role)) as socket:
        ready = socket.request(describe("good.txt", body))
        assert put(ready["upload"], body).status_code == 200
        assert socket.hear("upload.stored", file_id=ready["fileId"])

    letters = dead_letters(stack, f"hoist.{group}.dlq", mark)
    origins = set()
    for letter in letters:
        headers = dict(letter.headers)
        origins.add(
            (
                headers["hoist-origin-topic"].decode(),
                int(headers["hoist-origin-partition"]),
                int(headers["hoist-origin-offset"]),
                letter.value,
            )
        )
        is_newer = letter.value == NEWER
        assert headers["hoist-error-class"] == (b"NewerVersion" if is_newer else b"Malformed")
        assert headers["hoist-first-failure"]
    assert origins == {(place.topic, place.partition, place.offset, value) for place, value in sent}


def test_an_object_nobody_asked_for_stays_in_the_queue_and_stops_nothing(stack):
    sqs = boto3.client(
        "sqs",
        endpoint_url=stack.settings["AWS_ENDPOINT_URL"],
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    url = sqs.get_queue_url(QueueName=stack.settings["HOIST_BUCKET_EVENTS_QUEUE"])["QueueUrl"]
    for text in ("not json", json.dumps({"Records": [{"eventName": "ObjectCreated:Put"}]})):
        sqs.send_message(QueueUrl=url, MessageBody=text)
    body = b"behind the noise"
    with RawSocket(stack.url, stack.new_user()) as socket:
        ready = socket.request(describe("good.txt", body))
        assert put(ready["upload"], body).status_code == 200
        assert socket.hear("upload.stored", file_id=ready["fileId"])
