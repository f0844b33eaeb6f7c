"""Recorded AWS events are understood, and our pollers send events of the same shape."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from hoist import telemetry
from hoist.lambdas import bucket
from hoist.lambdas.bucket import arrived_objects
from hoist.lambdas.topics import received
from hoist.workers import kafka_source, sqs_source

EVENTS = Path(__file__).parents[1] / "events"


def recorded(name):
    return json.loads((EVENTS / name).read_text())


def test_a_kafka_event_gives_each_record_with_its_own_bytes():
    first, empty, poison = received(recorded("kafka.json"))
    assert (first.topic, first.partition, first.offset) == ("hoist.ingest.basic", 0, 15)
    assert first.key == b"auth0|ada"
    assert json.loads(first.value)["messageId"] == "m-1"
    assert (empty.key, empty.value) == (None, None)
    assert (poison.partition, poison.value) == (1, b"not json")


def test_signed_header_bytes_and_repeated_names_survive():
    headers = next(received(recorded("kafka.json"))).headers
    values = [value.decode() for name, value in headers if name == "name"]
    assert values == ["é", "€"]
    assert telemetry.trace_of(headers) == "0af7651916cd43dd8448eb211c80319c"


def test_our_poller_sends_what_lambda_would():
    record = SimpleNamespace(
        topic="hoist.ingest.basic",
        partition=0,
        offset=15,
        timestamp=1545084650987,
        timestamp_type=0,
        key="ключ".encode(),
        value=None,
        headers=[("name", "é".encode()), ("name", b"")],
    )
    partition = TopicPartition("hoist.ingest.basic", 0)
    event = kafka_source.lambda_event({partition: [record]}, "b1:9092")
    recorded_event = recorded("kafka.json")
    assert event["eventSource"] == "SelfManagedKafka"
    sent = event["records"]["hoist.ingest.basic-0"][0]
    assert sent.keys() == recorded_event["records"]["hoist.ingest.basic-0"][0].keys()
    assert sent["headers"] == [{"name": [-61, -87]}, {"name": []}]
    again = next(received(json.loads(json.dumps(event))))
    assert (again.key, again.value) == (record.key, None)
    assert again.headers == (("name", "é".encode()), ("name", b""))


@pytest.mark.parametrize("name", ["s3_put_2_1.json", "s3_multipart_2_6.json"])
def test_s3_events_of_both_versions_give_the_decoded_key(name):
    [found] = arrived_objects(recorded(name))
    assert found.key == "files/ab/name with blanks+andé"
    assert found.size == 1024
    assert found.stored_at_ms == 1767323045678


def test_the_test_event_of_s3_has_no_objects():
    assert list(arrived_objects(recorded("s3_test_event.json"))) == []


def test_our_sqs_poller_sends_what_lambda_would():
    message = {"MessageId": "1", "ReceiptHandle": "r", "Body": "{}", "MD5OfBody": "m"}
    [record] = sqs_source.lambda_event([message], "arn:aws:sqs:eu-west-1:0:q")["Records"]
    assert record["body"] == "{}"
    assert record["awsRegion"] == "eu-west-1"
    assert record["eventSource"] == "aws:sqs"


@pytest.mark.parametrize(
    "body",
    [
        "junk",
        "[" * 100_000,
        "null",
        '{"Records":[{"eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00Z",'
        '"s3":{"object":{"key":"files/x","size":1e999,"eTag":"x"}}}]}',
        '{"Records":[{"eventName":"ObjectCreated:Put","eventTime":"2026-13-01T00:00:00Z",'
        '"s3":{"object":{"key":"files/x","size":1,"eTag":"x"}}}]}',
        '{"Records":[{}]}',
    ],
    ids=range(6),
)
def test_a_message_that_is_no_notification_takes_no_other_with_it(monkeypatch, body):
    good = (EVENTS / "s3_put_2_1.json").read_text()
    done = []
    services = SimpleNamespace(complete_uploads=lambda items: done.extend(items) or [])
    monkeypatch.setattr(bucket.wiring, "services", lambda: services)
    messages = [{"messageId": "bad", "body": body}, {"messageId": "good", "body": good}]
    told = bucket.bucket_events({"Records": messages}, None)
    assert told == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(done) == 1
