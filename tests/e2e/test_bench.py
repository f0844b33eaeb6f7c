"""Every bench runs, at tiny sizes, and leaves the running stack as it found it."""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path

import psutil
import pytest

from bench import planted
from bench.__main__ import BENCHES, told
from bench.pairs import Side, bound
from bench.row import Row, percentile, table
from bench.target import Target
from bench.uploading import Uploader
from emulation import provision
from hoist.wiring import Services

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
PATIENCE_SECONDS = 60


@pytest.fixture
def target(stack, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | stack.settings)
    pids = {service["name"]: service["pid"] for service in stack.stack.status()}
    running = Target(os.environ, pids, pairs=1, scale=0.005, minutes=0.02)
    yield running
    running.services.close()


def left(target: Target) -> dict[str, object]:
    """What a bench may have left behind."""
    s3, sqs = (provision.client(name, target.environment) for name in ("s3", "sqs"))
    dynamodb = provision.client("dynamodb", target.environment)
    bucket = target.environment["HOIST_BUCKET"]
    return {
        "objects": s3.list_objects_v2(Bucket=bucket)["KeyCount"],
        "buckets": len(s3.list_buckets()["Buckets"]),
        "queues": sorted(sqs.list_queues().get("QueueUrls", [])),
        "tables": dynamodb.list_tables()["TableNames"],
        "listed": listed(target.services),
        "processes": sorted(child.pid for child in psutil.Process().children()),
    }


def listed(services: Services) -> int:
    """Files that a list shows: deleted ones leave a row that says so."""
    return sum(getattr(row, "is_listed", False) for row in services.store.scan())


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_tells_its_rows_and_leaves_nothing(target, name, capsys):
    before = left(target)
    rows = told(target, name)
    assert rows
    for row in rows:
        # Of two uploads our CPU may be less than what is taken off.
        is_told = row.name == "cpu-size" or all(map(math.isfinite, row.values))
        assert is_told
        assert all(value >= 0 for value in row.values)
        assert row.line() in capsys.readouterr().out or len(rows) > 1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (after := left(target)) != before:
        assert time.monotonic() < deadline, (before, after)
        time.sleep(0.2)


def test_planted_files_go_and_what_was_uploaded_beside_them_stays(target):
    with planted.files(target, 3) as [user]:
        uploader = Uploader(target, user)
        uploader.upload(b"0123456789")
        [uploaded] = uploader.uploaded()
        uploader.close()
        target.settle()
    store = target.services.store
    assert [row.file_id for row in store.list_by_user(user.user_id, limit=9).records] == [
        uploaded.file_id
    ]
    assert store.accounts([user.user_id])[user.user_id].used_bytes == 10


def test_the_page_names_every_bench_and_no_other():
    named = re.findall(r"^\| `make bench B=([\w-]+)`", PAGE.read_text(), flags=re.M)
    assert sorted(set(named)) == sorted(BENCHES)


def test_a_goal_is_met_on_its_own_side_only():
    assert Row("a", "", [1.0, 2.0, 9.0], 2).is_met
    assert not Row("a", "", [1.0, 2.0, 9.0], 2.1).is_met
    assert Row("a", "", [1.0, 2.0, 9.0], 2, is_most=True).is_met
    assert not Row("a", "", [1.0, 2.0, 9.0], 1.9, is_most=True).is_met
    assert Row("a", "", [1.0]).is_met is None


def test_a_line_has_the_median_its_spread_and_the_verdict():
    row = Row("4KB", "whole / bare", [0.5, 0.7, 0.6], 0.6, detail="CPU")
    assert row.line() == "4KB: whole / bare 0.6 (0.5 to 0.7), 3 pairs; goal >= 0.6: met; CPU"
    assert "0.6 (0.5 to 0.7)" in table([row])


def test_what_engines_and_clients_leave_is_told_as_a_ratio():
    ours = Side(
        100, 2.0, {"kafka": 0.3, "bench": 0.2, "gateway-a": 9.0, "metadata": 9.0, "admin": 9.0}
    )
    floor = Side(100, 0.5, {"bench": 0.1})
    assert bound([(ours, floor)], cores=2) == "; without CPU of ours at most 2"
    assert bound([(Side(1, 1.0, {"gateway-b": 1.0}), floor)]) == ""


def test_a_percentile_is_a_value_that_was_seen():
    assert percentile(range(1, 101), 99) == 100
    assert percentile([3, 1, 2], 50) == 2
