"""The load as ``make loadtest-ci`` makes it: short, with a handful of people."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from emulation import provision
from hoist.config import Settings
from hoist.domain.model import FileRecord, Status
from hoist.wiring import Services

SECONDS_MAX = 240
ENDS_SECONDS_MAX = 30


@pytest.fixture
def start(stack, tmp_path):
    """Starts a run; what is left of it at the end is stopped."""
    started = []

    def run(*words):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HOIST_", "AWS_"))}
        environment |= {
            "STACK_DIR": str(stack.stack.directory),
            "STACK_PORT_BASE": str(stack.stack.ports.base),
        }
        head = [sys.executable, "-m", "loadtest", "--headless", "--reports", str(tmp_path)]
        pace = ["--users", "7", "--spawn-rate", "7"]
        process = subprocess.Popen(
            [*head, *pace, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_SECONDS_MAX)
            process.kill()
        process.communicate()


def report(directory):
    return json.loads((directory / "report.json").read_text())


def test_a_run_of_two_processes_is_good_and_leaves_its_reports(start, tmp_path):
    run = start("--run-time", "15s", "--processes", "2", "--", "--exclude-tags", "large", "heavy")
    told, _ = run.communicate(timeout=SECONDS_MAX)
    assert run.returncode == 0, told
    found = report(tmp_path)
    assert found["isGood"]
    sets = found["ledger"]["sets"]
    assert sets["stored"] == sets["listed"] > 0
    assert (sets["lost"], sets["duplicated"]) == (0, 0)
    assert found["requests"]["WS end to end"]["requests"] > 0
    assert found["servers"]["gateway sockets"]
    assert found["generator"]["options"]["processes"] == 2
    assert found["generator"]["cpuSeconds"].keys() == {"leader", "worker 0", "worker 1"}
    assert found["requests"]["WS stored"]["max_milliseconds"] > 0
    for name in ("stats_stats.csv", "report.html"):
        assert (tmp_path / name).stat().st_size


def test_all_who_lost_their_socket_come_back(start, stack, tmp_path):
    before = _pids(stack)
    run = start("--run-time", "16s", "--shape", "ThunderingReconnect", "BasicUploader")
    told, _ = run.communicate(timeout=SECONDS_MAX)
    assert run.returncode == 0, told
    after = _pids(stack)
    assert {name for name in before if before[name] != after[name]} == {"gateway-a"}
    found = report(tmp_path)
    assert found["sockets"] == {"dropped": 7, "back": 7}
    numbers = found["requests"]
    assert numbers["WS connect"]["requests"] == 7
    assert numbers["WS reconnect"]["requests"] >= 7
    assert numbers["WS reconnect"]["failures"] == 0
    assert numbers["WS end to end"]["requests"] > 0


def test_what_nobody_may_have_is_asked_for_and_refused(start, tmp_path):
    words = ("--tags", "abuse", "--think-scale", "0.2")
    run = start("--run-time", "20s", "--shape", "Soak", "Abuser", "--", *words)
    told, _ = run.communicate(timeout=SECONDS_MAX)
    assert run.returncode == 0, told
    found = report(tmp_path)["requests"]
    refused = ("slow_down", "too_many_uploads", "file_too_large", "not_found", "forged socket")
    for name in (*(f"WS refused: {why}" for why in refused), "CHECK refused as if unknown"):
        assert found[name]["requests"] > 0


def test_a_lost_record_fails_the_run(start, stack, tmp_path, monkeypatch):
    for name, value in stack.settings.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    services = Services(Settings.from_env(stack.settings))
    before = {one.file_id for one in _stored(services)}
    run = start("--run-time", "15s", "BasicUploader", "--", "--settle-seconds", "10")
    deadline = time.monotonic() + SECONDS_MAX
    while not (new := [one for one in _stored(services) if one.file_id not in before]):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.1)
    key = {"userId": {"S": new[0].user_id}, "fileId": {"S": new[0].file_id}}
    table = stack.settings["HOIST_STORE"].removeprefix("dynamodb://")
    dynamodb = provision.client("dynamodb", stack.settings)
    lost = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    dynamodb.delete_item(TableName=table, Key=key)
    services.close()
    told, _ = run.communicate(timeout=SECONDS_MAX)
    dynamodb.put_item(TableName=table, Item=lost)  # others use this stack too
    assert run.returncode == 1, told
    found = report(tmp_path)
    assert [new[0].user_id, new[0].message_id] in found["ledger"]["sets"]["lostNames"]
    assert "I1" in found["ledger"]["promises"]


def test_bytes_that_were_exchanged_on_the_way_fail_the_run(start, stack, tmp_path, monkeypatch):
    for name, value in stack.settings.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    services = Services(Settings.from_env(stack.settings))
    before = {one.file_id for one in _stored(services)}
    run = start("--run-time", "15s", "BasicUploader")
    deadline = time.monotonic() + SECONDS_MAX
    while not (new := [one for one in _stored(services) if one.file_id not in before]):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.1)
    row = new[0]
    other = replace(row, stored=replace(row.stored, etag="0" * 32), version=row.version + 1)
    assert services.store.write([(other,)]) == [True]
    told, _ = run.communicate(timeout=SECONDS_MAX)
    right = replace(row, version=other.version + 1)
    assert services.store.write([(right,)]) == [True]  # others use this stack too
    services.close()
    assert run.returncode == 1, told
    assert "I3" in report(tmp_path)["ledger"]["promises"]


def _pids(stack):
    return {row["name"]: row["pid"] for row in stack.stack.status()}


def _stored(services):
    rows = (row for row in services.store.scan() if isinstance(row, FileRecord))
    return [row for row in rows if row.status is Status.STORED]
