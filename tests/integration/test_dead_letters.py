"""The dead letter desk on the real stack: found, mended, sent again once, and heard of."""

import json
import os
import secrets
import subprocess
import sys
import time

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.e2e.raw_client import RawSocket, describe, new_message_id, put, rest

TOPIC, DECISIONS = "hoist.ingest.basic", "hoist.dlq.decisions"
PATIENCE_SECONDS = 60
GOOD, POISON = 200, 50
NEVER_JSON = [b"not json", b"\xff\xfe\x00", b"[" * 60_000, b'{"a": NaN}', None]


@pytest.fixture
def bootstrap(stack):
    return stack.settings["HOIST_KAFKA_BOOTSTRAP"]


@pytest.fixture
def producer(bootstrap):
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    yield producer
    producer.close()


@pytest.fixture
def admin(stack):
    url = f"http://127.0.0.1:{stack.stack.ports['admin']}"
    with httpx.Client(base_url=url, headers=rest(stack.token("root")), timeout=60) as client:
        yield client


@pytest.fixture
def hoist(stack, tmp_path):
    """An operator's shell: runs ``hoist admin dlq WORDS --json``; returns what it printed."""
    ours = ("HOIST_", "AWS_", "STACK_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    operator = {name: value for name, value in stack.settings.items() if name.startswith(ours)}

    def run(*words, code=0, is_json=True, **more):
        told = subprocess.run(
            [sys.executable, "-c", "from hoist.cli import main; main()", "admin", "dlq", *words]
            + ["--json"] * is_json,
            env=own | operator | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert told.returncode == code, told.stderr
        return json.loads(told.stdout) if is_json else told.stdout

    return run


class Waiting:
    """Somebody with an open socket, and the envelopes of what they ask for."""

    def __init__(self, stack, bootstrap):
        token = stack.new_user("ada")
        self.socket = RawSocket(stack.url, token)
        first = self.socket.request(describe("first.txt", b"1"))
        headers = rest(token)
        self.user_id = httpx.get(f"{stack.url}/me", headers=headers, timeout=30).json()["userId"]
        self.file_id = first["fileId"]
        self.pattern = self._envelope(bootstrap)

    def _envelope(self, bootstrap):
        """What the gateway put on the lane for this very socket."""
        consumer = KafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while time.monotonic() < deadline:
                for records in consumer.poll(timeout_ms=500).values():
                    for record in records:
                        if record.key == self.user_id.encode():
                            return json.loads(record.value)
        finally:
            consumer.close()
        raise AssertionError("the request is not on its lane")

    def envelope(self, message_id, **changes):
        file = self.pattern["file"] | {"name": f"{message_id}.txt", "later": {"n": 1.0}}
        members = {"messageId": message_id, "file": file, "requestedAt": int(time.time() * 1000)}
        return json.dumps(self.pattern | members | changes).encode()


@pytest.fixture
def waiting(stack, bootstrap):
    somebody = Waiting(stack, bootstrap)
    yield somebody
    somebody.socket.__exit__()


def ends(bootstrap, *topics):
    """How many records each topic ever held."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        counts = {}
        for topic in topics:
            partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
            counts[topic] = sum(consumer.end_offsets(partitions).values())
        return counts
    finally:
        consumer.close()


def listed(admin, count, **filters):
    """The letters that match, once there are *count* of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = admin.get("/admin/dlq", params={"limit": 500, **filters}).raise_for_status()
        letters = answer.json()["letters"]
        if len(letters) >= count:
            return letters
        assert time.monotonic() < deadline, letters
        time.sleep(0.1)


def test_fifty_among_two_hundred_are_found_mended_and_replayed_exactly_once(
    stack, tiers, producer, bootstrap, waiting, admin, hoist
):
    tiers(basic={"concurrentUploads": 1000})
    message_ids = [new_message_id() for _ in range(POISON)]
    kinds = [*NEVER_JSON, b"{}", "version", "no file", "version", "version"]
    for batch in range(4):
        files = [
            {"messageId": new_message_id(), "file": describe(f"good-{n}.txt", b"good")}
            for n in range(GOOD // 4)
        ]
        waiting.socket.say({"action": "upload", "files": files})
        for number in range(batch, POISON, 4):
            send(producer, waiting, message_ids[number], kinds[number % len(kinds)])
    producer.flush()
    for _ in range(GOOD):
        waiting.socket.hear("upload.ready")

    letters = listed(admin, POISON, user=waiting.user_id)
    assert len(letters) == POISON
    assert {letter["errorClass"] for letter in letters} == {"Malformed", "NewerVersion"}
    assert all(letter["origin"]["topic"] == TOPIC for letter in letters)
    shown = hoist("list", "--user", waiting.user_id, "--group", "upload-basic")["letters"]
    assert [letter["id"] for letter in shown] == [letter["id"] for letter in letters]

    refused = hoist("replay", "--user", waiting.user_id, "--dry-run")["outcomes"]
    assert {outcome["result"] for outcome in refused} == {"refused"}
    for letter, message_id in zip(letters, message_ids, strict=True):
        body = waiting.envelope(message_id)
        edited = admin.put(f"/admin/dlq/{letter['id']}/payload", content=body)
        assert edited.status_code == 200, edited.text

    before = ends(bootstrap, TOPIC)
    outcomes = hoist("replay", "--user", waiting.user_id)["outcomes"]
    assert [outcome["result"] for outcome in outcomes] == ["replayed"] * POISON
    after = ends(bootstrap, TOPIC, DECISIONS)
    assert after[TOPIC] == before[TOPIC] + POISON
    heard = {waiting.socket.hear("upload.ready")["messageId"] for _ in range(POISON)}
    assert heard == set(message_ids)

    assert hoist("replay", "--user", waiting.user_id)["outcomes"] == []
    named = [letter["id"] for letter in letters]
    again = admin.post("/admin/dlq/replay", json={"ids": named}).raise_for_status()
    assert {outcome["result"] for outcome in again.json()["outcomes"]} == {"decided"}
    assert ends(bootstrap, TOPIC, DECISIONS) == after
    assert listed(admin, POISON, user=waiting.user_id, state="replayed") != []


def send(producer, waiting, message_id, kind):
    """A record that the upload handler cannot read, of the user who waits."""
    value = kind
    if kind == "version":
        value = waiting.envelope(message_id, version=99)
    elif kind == "no file":
        value = waiting.envelope(message_id, file=None)
    producer.send(TOPIC, key=waiting.user_id.encode(), value=value)


def test_who_waits_hears_ready_once_an_operator_has_mended_and_replayed(
    producer, waiting, admin, hoist, tmp_path
):
    message_id = new_message_id()
    broken = waiting.envelope(message_id, version=99)
    producer.send(TOPIC, key=waiting.user_id.encode(), value=broken).get(timeout=30)
    [letter] = listed(admin, 1, user=waiting.user_id)
    assert letter["error"].startswith("version: ")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"version": 99/"version": 1/\' "$1"\n')
    editor.chmod(0o755)
    hoist("edit", letter["id"], is_json=False, EDITOR=str(editor))
    sent = hoist("show", letter["id"], "--raw", is_json=False)
    compact = json.dumps(json.loads(broken), separators=(",", ":"))
    assert sent == compact.replace('"version":99', '"version":1')
    assert hoist("replay", letter["id"], is_json=False).startswith(f"{letter['id']}\treplayed\t")
    ready = waiting.socket.hear("upload.ready", file_id=None)
    assert ready["messageId"] == message_id
    assert put(ready["upload"], b"1").status_code == 200
    assert waiting.socket.hear("upload.stored", file_id=ready["fileId"])


def test_who_waits_hears_that_their_request_was_dropped(producer, waiting, admin):
    message_id = new_message_id()
    broken = waiting.envelope(message_id, version=99)
    producer.send(TOPIC, key=waiting.user_id.encode(), value=broken).get(timeout=30)
    [letter] = listed(admin, 1, user=waiting.user_id)
    dropped = admin.delete(f"/admin/dlq/{letter['id']}", params={"reason": "a test"})
    assert dropped.json()["state"] == "dropped"
    refused = waiting.socket.hear("upload.rejected")
    assert (refused["messageId"], refused["error"]["code"]) == (message_id, "request_dropped")


@pytest.mark.parametrize("user", ["ada", "grace"])
def test_only_admins_may_come_to_the_desk(stack, admin, user):
    nonce = secrets.token_hex(4)
    for method, path in (
        ("GET", "/admin/dlq"),
        ("GET", "/admin/dlq/upload-basic:0"),
        ("PUT", "/admin/dlq/upload-basic:0/payload"),
        ("POST", "/admin/dlq/replay"),
        ("DELETE", f"/admin/dlq/upload-basic:0?reason={nonce}"),
    ):
        answer = admin.request(method, path, headers=rest(stack.token(user)))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        nobody = httpx.request(method, str(admin.base_url) + path, timeout=30)
        assert nobody.status_code == 401
