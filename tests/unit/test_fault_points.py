"""Crash points: each is a real place, is named for what is done there, and ends the process."""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emulation.faults import clock, points
from emulation.faults.clock import NoFaketime
from emulation.faults.crash import EXIT_CODE, fired
from emulation.faults.points import EFFECTS, NAMES, log_names, store_names
from hoist.domain.account import Account
from hoist.domain.messages import dead_letter_topic, retry_topic
from hoist.domain.model import FileFacts, FileRecord, Status
from hoist.domain.ports import Message

ROOT = Path(__file__).parents[2]
SCRIPT = """
from types import SimpleNamespace
from hoist.adapters.redis_uploads import RedisLeases
from hoist.adapters.s3 import S3Objects

class Storage:
    def delete_object(self, **what):
        print("deleted", flush=True)

objects = S3Objects(Storage(), None, "bucket", None)
RedisLeases(None, lambda ask, otherwise: otherwise, None).hold({})
for _ in range(3):
    objects.discard(SimpleNamespace(s3_key="a"))
    print("told", flush=True)
"""


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.path)
def test_every_effect_is_a_place_in_the_code(effect):
    module = importlib.import_module(effect.module)
    assert callable(functools.reduce(getattr, effect.path.split("."), module))


def test_every_name_is_explained():
    explained = re.findall(r"^([a-z]+\.[a-z]+)\b", points.__doc__, flags=re.M)
    assert sorted(explained) == sorted(NAMES)


def test_every_name_is_that_of_an_effect():
    named = {"log.append", "retry.publish", "dlq.publish"}
    named |= {"store.write", "quota.reserve", "quota.release"}
    for effect in EFFECTS:
        if effect.named not in (log_names, store_names):
            named |= effect.named(None)
    assert named == set(NAMES)


def test_what_goes_to_the_log_is_named_by_its_topic():
    def names(*topics: str) -> set[str]:
        return log_names([Message(topic, "ada", b"") for topic in topics])

    assert names("hoist.metadata", "hoist.ingest.basic") == {"log.append"}
    assert names(retry_topic("metadata", 5)) == {"retry.publish"}
    assert names(dead_letter_topic("metadata"), "hoist.metadata") == {"dlq.publish", "log.append"}


def test_what_goes_to_the_store_is_named_by_its_rows():
    record = FileRecord(
        "ada", "f-1", "m-1", FileFacts("a", 1, "text/plain"), Status.PENDING, 1000, 2000
    )
    account = Account("ada", version=1)
    pending, stored = record, replace(record, status=Status.STORED)
    assert store_names([(account,)]) == {"store.write", "quota.reserve"}
    assert store_names([(pending, account)]) == {"store.write"}
    assert store_names([(pending,), (stored, account)]) == {"store.write", "quota.release"}
    assert store_names([(stored,)]) == {"store.write"}


def launch(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "work.py").write_text(SCRIPT)
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src"), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "emulation.faults.run", "work"],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("armed", "told"),
    [
        ("before:objects.discard:1", []),
        ("after:objects.discard:1", ["deleted"]),
        ("before:objects.discard:2", ["deleted", "told"]),
        ("after:objects.discard:3 before:leases.hold:1", ["deleted", "told"] * 2 + ["deleted"]),
    ],
)
def test_a_process_ends_when_it_reaches_a_point_for_the_nth_time(tmp_path, armed, told):
    ended = launch(tmp_path, CRASH_AT=armed)
    assert (ended.returncode, ended.stdout.split()) == (EXIT_CODE, told), ended.stderr


def test_a_point_in_a_file_ends_it_once(tmp_path):
    file = tmp_path / "work"
    file.write_text("after:objects.discard:2\n")
    ended = launch(tmp_path, CRASH_FILE=str(file))
    assert (ended.returncode, ended.stdout.count("deleted")) == (EXIT_CODE, 2), ended.stderr
    assert fired(file).read_text() == "after:objects.discard\n"
    again = launch(tmp_path, CRASH_FILE=str(file))
    assert (again.returncode, again.stdout.count("told")) == (0, 3), again.stderr


def test_without_libfaketime_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoFaketime, match="apt-get install faketime"):
        clock.preload()


def test_a_point_that_does_not_exist_is_told_at_the_start(tmp_path):
    refused = launch(tmp_path, CRASH_AT="after:lunch:1")
    assert refused.returncode == 1
    assert "there is no point 'after:lunch'" in refused.stderr
