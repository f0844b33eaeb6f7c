"""hoist doctor on a stack of its own: each difference planted, found, mended as it says; agreed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import boto3
import httpx
import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from emulation.native.stack import Stack
from hoist.config import Settings
from hoist.domain.account import Reservation
from hoist.domain.model import FileRecord, file_id, s3_key
from hoist.wiring import Services
from tests.conftest import TEST_PORT_BASE, Running
from tests.e2e.raw_client import RawSocket, describe, put, rest

OWN_BASE = TEST_PORT_BASE + 100
PATIENCE_SECONDS = 150
NOBODY = "aa000000-0000-5000-8000-000000000000"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A stack that nobody has left anything on."""
    os.environ.setdefault("STACK_ENGINES", str(Path(".stack/engines").resolve()))
    stack = Stack(OWN_BASE, tmp_path_factory.mktemp("own"))
    stack.up()
    yield Running(stack, stack.settings())
    stack.down()


@pytest.fixture(scope="module")
def services(own):
    """As any process of ours has them: what a test plants, it plants with these."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.settings.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        boto3.setup_default_session()
        ours = {n: value for n, value in own.settings.items() if n.startswith("HOIST_")}
        services = Services(Settings.from_env(ours))
        yield services
        services.close()
    boto3.setup_default_session()


@pytest.fixture(scope="module")
def s3(services):
    return services._s3


@pytest.fixture
def shell(own, tmp_path):
    """Runs a line as it was printed; returns what became of it."""
    ours = ("HOIST_", "AWS_", "STACK_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])

    def run(line, **more):
        return subprocess.run(
            ["bash", "-c", line],
            env=kept | own.settings | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    return run


class Patient:
    def __init__(self, shell):
        self.shell = shell

    def __call__(self, *words, **more):
        """Its exit code and report."""
        told = self.shell(" ".join(["hoist doctor -o json", *words]), **more)
        assert "Traceback" not in told.stderr, told.stderr
        return told.returncode, json.loads(told.stdout)

    def until(self, holds, *words):
        """Its differences by (kind, subject), once *holds* says yes to them."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            code, report = self(*words)
            found = {(one["kind"], one["subject"]): one for one in report["differences"]}
            if holds(found):
                assert code == (1 if found else 0)
                return found
            assert time.monotonic() < deadline, report
            time.sleep(0.5)

    def agrees(self, *words):
        """Once what is under way has come to its end."""
        self.until(lambda found: not found, *words)

    def finds(self, *expected, words=()):
        return self.until(lambda found: found.keys() == set(expected), *words)


@pytest.fixture
def doctor(shell):
    return Patient(shell)


@contextmanager
def standing_still(own, name):
    """*name* does nothing, as a process that hangs."""
    [pid] = [row["pid"] for row in own.stack.status() if row["name"] == name]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def ada(own):
    """Somebody with three files, who has looked at them: (user id, file ids, what looks)."""
    token = own.new_user("ada")
    ids = []
    with RawSocket(own.url, token) as socket:
        for number in range(3):
            body = f"file {number}".encode()
            ready = socket.request(describe(f"{number}.txt", body))
            assert put(ready["upload"], body).status_code == 200
            socket.hear("upload.stored", file_id=ready["fileId"])
            ids.append(ready["fileId"])

    def look():
        answer = httpx.get(f"{own.url}/files", headers=rest(token), timeout=30)
        return [file["fileId"] for file in answer.raise_for_status().json()["files"]]

    assert set(look()) == set(ids)
    user_id = httpx.get(f"{own.url}/me", headers=rest(token), timeout=30).json()["userId"]
    return user_id, ids, look


def everything(services):
    return sorted(map(repr, services.store.scan())), sorted(map(repr, services.parts.objects()))


def test_a_stack_in_use_agrees_and_is_left_as_it_was(doctor, shell, services, ada):
    doctor.agrees("--deep")
    before = everything(services)
    told = shell("hoist doctor --deep")
    assert (told.returncode, told.stdout) == (0, "")
    *parts, end = told.stderr.splitlines()
    names = ["storage", "rows", "lists", "offsets", "letters", "log"]
    assert [line.partition(":")[0] for line in parts] == names
    assert all(line.endswith(": agree") for line in parts)
    assert end == "All agree."
    assert everything(services) == before


def test_what_storage_alone_has_and_what_it_lost_is_mended(
    own, doctor, shell, services, s3, ada, tmp_path
):
    tiers = json.loads(Path(own.settings["HOIST_TIERS_FILE"]).read_text())
    for tier in tiers.values():
        tier["urlExpiresSeconds"] = 1
    (tmp_path / "short.json").write_text(json.dumps(tiers))
    words, bucket = ["--unknown-after", "0"], own.settings["HOIST_BUCKET"]
    _, (gone, other, _), _ = ada
    key = s3_key(NOBODY)
    s3.put_object(Bucket=bucket, Key=key, Body=b"nobody asked for this")
    s3.create_multipart_upload(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=s3_key(gone))
    s3.put_object(Bucket=bucket, Key=s3_key(other), Body=b"not what it was")
    before = dict(own.settings)
    own.settings |= {"HOIST_TIERS_FILE": str(tmp_path / "short.json"), "HOIST_GRACE_SECONDS": "1"}
    try:
        found = doctor.finds(
            ("object_without_file", key),
            ("open_parts", key),
            ("file_without_object", gone),
            ("object_differs", other),
            words=words,
        )
        remove, repair = found.pop(("object_differs", other))["mend"].split(" && ")
        assert remove == f"aws s3 rm s3://{bucket}/{s3_key(other)}"
        s3.delete_object(Bucket=bucket, Key=s3_key(other))  # we have no such command here
        assert {one["mend"] for one in found.values()} == {repair}
        told = shell(repair)
        assert told.returncode == 0, told.stderr
        doctor.agrees(*words, "--deep")
    finally:
        own.settings.clear()
        own.settings.update(before)


def test_books_and_reservations_that_nothing_explains_are_mended(own, doctor, shell, services, ada):
    user_id, _, _ = ada
    doctor.agrees()
    books = services.store.accounts([user_id])[user_id]
    with standing_still(own, "janitor"):
        wrong = replace(books, reservations={NOBODY: Reservation(5, 0)}, version=books.version + 1)
        assert services.store.write([(wrong,)]) == [True]
        one = doctor.finds(("books_differ", user_id))["books_differ", user_id]
        assert "1 reservations have ended" in one["detail"]
        assert shell(one["mend"]).returncode == 0
        doctor.agrees()
        books = services.store.accounts([user_id])[user_id]
        wrong = replace(books, used_bytes=99, version=books.version + 1)
        assert services.store.write([(wrong,)]) == [True]
        one = doctor.finds(("books_differ", user_id))["books_differ", user_id]
        assert "the books say 99 bytes, the files 18" in one["detail"]
        assert shell(one["mend"]).returncode == 0
        doctor.agrees()


def test_a_list_that_is_old_is_forgotten(own, doctor, shell, ada):
    user_id, ids, look = ada
    doctor.agrees()
    look()
    with redis.Redis.from_url(own.settings["HOIST_REDIS_URL"]) as client:
        generation = client.get(f"hoist:{{{user_id}}}:generation").decode()
        key = f"hoist:{{{user_id}}}:pages:{generation}"
        [(name, body)] = client.hgetall(key).items()
        page = json.loads(body)
        missing = page["records"].pop()["fileId"]
        client.hset(key, name, json.dumps(page))
        client.persist(key)
    assert set(look()) == set(ids) - {missing}
    one = doctor.finds(("old_list", user_id))["old_list", user_id]
    assert f"the cache shows 2 files, the store 3; only in the store: {missing}" in one["detail"]
    told = shell(one["mend"])
    assert told.returncode == 0, told.stderr
    doctor.agrees()
    assert set(look()) == set(ids)


def test_rows_that_the_log_does_not_know_are_left_out_of_a_new_store(
    own, doctor, shell, services, ada, tmp_path
):
    user_id, (first, second, _), _ = ada
    doctor.agrees("--deep")
    rows = services.store.get_many([(user_id, first), (user_id, second)])
    row, other = rows[user_id, first], rows[user_id, second]
    again = replace(row, file_id=NOBODY, version=1)
    wrong = replace(again, file_id=file_id(user_id, "x"), message_id="another")
    changed = replace(other, reason="changed by hand", version=other.version + 1)
    assert services.store.write([(again,), (wrong,), (changed,)]) == [True] * 3
    try:
        report = doctor("--deep")[1]
        found = {(one["kind"], one["subject"]): one for one in report["differences"]}
        here = f"{user_id}/"
        assert found.keys() >= {
            ("duplicate", here + NOBODY),
            ("wrong_id", here + wrong.file_id),
            ("row_differs", here + NOBODY),
            ("row_differs", here + wrong.file_id),
            ("row_differs", here + second),
        }
        assert found["row_differs", here + second]["detail"] == "another reason"
        store = f"sqlite:///{tmp_path / 'rebuilt.db'}"
        mend = found["duplicate", here + NOBODY]["mend"].replace("STORE", store)
        assert "3 rows differ" in shell(mend).stderr
        code, report = doctor("--deep", HOIST_STORE=store)
        assert (code, report["differences"]) == (0, [])
    finally:
        forget(services, own, again)
        forget(services, own, wrong)
        services.store.write([(replace(other, version=changed.version + 1),)])


def forget(services, own, row: FileRecord) -> None:
    table = own.settings["HOIST_STORE"].rpartition("/")[2]
    key = {"userId": {"S": row.user_id}, "fileId": {"S": row.file_id}}
    services.store._client.delete_item(TableName=table, Key=key)


def test_a_group_without_a_worker_and_offsets_past_the_end_are_mended(own, doctor, shell):
    topic, group = "hoist.ingest.basic", "upload-basic"
    bootstrap = own.settings["HOIST_KAFKA_BOOTSTRAP"]
    subjects = [f"{group} {topic}:{number}" for number in range(4)]
    doctor.agrees()
    with standing_still(own, group):
        found = doctor.finds(*(("no_owner", subject) for subject in subjects))
        assert {one["mend"] for one in found.values()} == {"python -m hoist.workers upload-basic"}
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        partition = TopicPartition(topic, 2)
        admin.alter_group_offsets(group, {partition: OffsetAndMetadata(1_000_000, "", -1)})
        admin.close()
        past = ("committed_past_end", subjects[2])
        found = doctor.until(lambda found: past in found)
        told = shell(found[past]["mend"])
        assert told.returncode == 0, told.stderr
        assert "hoist.ingest.basic:2 from 1000000 to 0" in told.stderr
        doctor.finds(*(("no_owner", subject) for subject in subjects))
        refused = shell("hoist admin rewind metadata-handler")
        assert "0 partitions" in refused.stderr
        with subprocess.Popen(
            [sys.executable, *found["no_owner", subjects[0]]["mend"].split()[1:]],
            env=os.environ | own.settings,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as worker:
            try:
                doctor.agrees()
            finally:
                worker.terminate()
    doctor.agrees()


def test_a_partition_that_somebody_holds_and_does_not_read_is_told(own, doctor):
    topic, group = "hoist.ingest.premium", "upload-premium"
    bootstrap = own.settings["HOIST_KAFKA_BOOTSTRAP"]
    doctor.agrees()
    hanging = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False
    )
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (held := hanging.assignment()):
            assert time.monotonic() < deadline
            hanging.poll(timeout_ms=100)
        number = min(one.partition for one in held)
        producer.send(topic, b"{", partition=number).get(timeout=30)
        stuck = ("not_moving", f"{group} {topic}:{number}")
        one = doctor.finds(stuck)[stuck]
        assert "1 record waits" in one["detail"]
        assert "worker upload-premium" in one["advice"]
    finally:
        producer.close()
        hanging.close()
    # The worker has it again, and cannot read it.
    doctor.finds(("dead_letters", group))


def test_dead_letters_are_told_until_somebody_decides(own, doctor, shell):
    group = "upload-premium"
    with_nobody = KafkaProducer(bootstrap_servers=own.settings["HOIST_KAFKA_BOOTSTRAP"])
    with_nobody.send("hoist.ingest.premium", secrets.token_bytes(9)).get(timeout=30)
    with_nobody.close()
    one = doctor.finds(("dead_letters", group))["dead_letters", group]
    assert one["mend"] == f"hoist admin dlq list --group {group} --error Malformed"
    for line in shell(one["mend"]).stdout.splitlines():
        letter = line.split("\t")[0]
        assert shell(f"hoist admin dlq drop {letter} --reason test").returncode == 0
    doctor.agrees()


@pytest.mark.parametrize(
    ("away", "parts"),
    [
        ({"HOIST_REDIS_URL": "redis://127.0.0.1:1/0"}, {"lists"}),
        ({"HOIST_BUCKET": "not-there"}, {"storage"}),
        ({"HOIST_STORE": "dynamodb://not-there"}, {"storage", "rows", "lists", "log"}),
        ({"HOIST_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, {"offsets", "letters", "log"}),
    ],
    ids=["redis", "s3", "store", "kafka"],
)
def test_what_is_away_is_named_and_the_rest_is_looked_at(doctor, away, parts):
    code, report = doctor("--deep", **away)
    assert code == 4
    told = Counter({one["part"]: one["looked"] is None for one in report["parts"]})
    assert {part for part, is_away in told.items() if is_away} == parts
    assert len(told) == 6
