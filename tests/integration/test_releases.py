"""Releases side by side: older and newer messages through each other, to the real workers."""

import json
import secrets
import time

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests import recorded
from tests.e2e.raw_client import RawSocket, describe, list_all, new_message_id, put, rest

PATIENCE_SECONDS = 60
ROUNDS = 8
# Who writes the messages of a round, and in which order: each before and after each other.
ORDERS = [("older", "this", "newer"), ("newer", "this", "older"), ("this", "newer", "older")]
UNKNOWN = {"later": {"deep": [1, None, "ä"]}}
NEWER_HEADERS = [("hoist-later", b"\x00\xff"), ("later", b"1")]


@pytest.fixture
def bootstrap(stack):
    return stack.settings["HOIST_KAFKA_BOOTSTRAP"]


@pytest.fixture
def writer(bootstrap, somebody):
    """Writes messages as ``older`` and ``newer`` releases do; each twice, as a retry might."""
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    yield Writer(producer, somebody.user_id)
    producer.close()


class Writer:
    def __init__(self, producer, user_id):
        self.producer, self.user_id = producer, user_id

    def __call__(self, release, kind, topic, **members):
        """A recorded message of version 1, with *members*; a newer one has what nobody knows."""
        data = json.loads(recorded.messages(kind, 1)[-1]) | {"userId": self.user_id} | members
        if release == "newer":
            data |= UNKNOWN
            if "file" in data:
                data["file"] |= UNKNOWN
        headers = NEWER_HEADERS if release == "newer" else []
        for _ in range(2):
            self.producer.send(
                topic, key=self.user_id.encode(), value=json.dumps(data).encode(), headers=headers
            ).get(timeout=30)


class Somebody:
    def __init__(self, stack):
        self.token = stack.new_user("ada")
        self.api = httpx.Client(base_url=stack.url, headers=rest(self.token), timeout=60)
        self.user_id = self.api.get("/me").raise_for_status().json()["userId"]
        self.socket = RawSocket(stack.url, self.token)


@pytest.fixture
def somebody(stack):
    one = Somebody(stack)
    yield one
    one.socket.socket.close()
    one.api.close()


def of_user(bootstrap, topic, user_id):
    """All that the topic holds of one user."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    found = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < deadline, topic
            for records in consumer.poll(timeout_ms=500).values():
                found += [record for record in records if record.key == user_id.encode()]
    finally:
        consumer.close()
    return found


def asks(somebody, writer, release, body):
    """One request; returns its messageId."""
    message_id = new_message_id()
    file = describe(f"{release}.txt", body)
    if release == "this":
        somebody.socket.say({"action": "upload", "messageId": message_id, "file": file})
    else:
        at = int(time.time() * 1000)
        members = {"messageId": message_id, "file": file, "requestedAt": at}
        writer(release, "ingest", "hoist.ingest.basic", **members)
    return message_id


def uploads(somebody, writer, body):
    """Requests of all releases, granted and stored; returns the ids of their files."""
    rounds = [ORDERS[number % len(ORDERS)] for number in range(ROUNDS)]
    asked = [asks(somebody, writer, one, body) for releases in rounds for one in releases]
    files = {}
    while set(files) < set(asked):
        # A second delivery is answered once more, with the same file.
        ready = somebody.socket.hear("upload.ready")
        is_again = ready["messageId"] in files
        assert files.setdefault(ready["messageId"], ready["fileId"]) == ready["fileId"]
        if not is_again:
            assert put(ready["upload"], body).status_code == 200
    for file_id in files.values():
        somebody.socket.hear("upload.stored", file_id=file_id)
    return list(files.values())


def archive(somebody, writer):
    """Asked for by all releases; returns once all are ready."""
    asked = {secrets.token_hex(28): release for release in ("newer", "older", "newer", "older")}
    for archive_id, release in asked.items():
        told = {"archiveId": archive_id, "requestedAt": int(time.time() * 1000)}
        writer(release, "archive", "hoist.archives", **told)
    missing = {*asked, somebody.api.post("/archives").raise_for_status().json()["archiveId"]}
    while missing:
        told = somebody.socket.hear("archive.ready", "archive.failed")["archive"]
        assert told["state"] == "ready"
        missing.discard(told["archiveId"])


def test_older_and_newer_messages_through_each_other_all_count_once_and_none_is_set_aside(
    stack, tiers, bootstrap, somebody, writer
):
    tiers(basic={"concurrentUploads": 1000, "requestsPerMinute": 10_000})
    body = b"of some release"
    files = uploads(somebody, writer, body)
    at = int(time.time() * 1000)
    for number, file_id in enumerate(files):
        for release in ORDERS[number % len(ORDERS)]:
            if release == "this":
                named = somebody.api.patch(f"/files/{file_id}", json={"name": "this"})
                assert named.status_code == 200, named.text
                continue
            event = {"fileId": file_id, "at": at}
            change = secrets.token_hex(8)
            told = {"changeId": change, "name": release, **event}
            writer(release, "file.changed", "hoist.metadata", **told)
            writer(release, "file.downloaded", "hoist.metadata", id=change, **event)
    archive(somebody, writer)

    deadline = time.monotonic() + PATIENCE_SECONDS
    while {(f["revision"], downloads(somebody, f["fileId"])) for f in listed(stack, somebody)} != {
        (3, 2)
    }:
        assert time.monotonic() < deadline, listed(stack, somebody)
    assert sorted(file["fileId"] for file in listed(stack, somebody)) == sorted(files)
    use = somebody.api.get("/me").json()["use"]
    assert (use["storedBytes"], use["reservedBytes"]) == (len(files) * len(body), 0)
    for group in ("upload-basic", "metadata-handler", "archives"):
        assert of_user(bootstrap, f"hoist.{group}.dlq", somebody.user_id) == []
    kept = [json.loads(r.value) for r in of_user(bootstrap, "hoist.metadata", somebody.user_id)]
    requested = {event["fileId"]: event for event in kept if event["type"] == "file.requested"}
    unknown = [event for event in requested.values() if "later" in event["file"]]
    assert len(unknown) == ROUNDS
    assert {event["file"]["name"] for event in unknown} == {"newer.txt"}


def listed(stack, somebody):
    return list_all(stack.url, somebody.token)


def downloads(somebody, file_id):
    answer = somebody.api.get(f"/files/{file_id}/downloads")
    return answer.raise_for_status().json()["count"]
