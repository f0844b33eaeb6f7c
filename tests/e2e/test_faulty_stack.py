"""A stack whose every hop can be made to fail: whole without faults, and again after them."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
import pytest

from emulation.faults.client import Faults
from emulation.faults.crash import EXIT_CODE
from emulation.native.ports import PORT_BASE_MAX, PORT_BASE_MIN, STORES, Ports
from emulation.native.services import GATEWAYS, WORKERS
from emulation.native.stack import Stack
from tests.conftest import TEST_PORT_BASE, Running
from tests.e2e.raw_client import RawSocket, describe, list_all, put

FAULTY_BASE = TEST_PORT_BASE + 400
PATIENCE_SECONDS = 60
HAS_FAKETIME = shutil.which("faketime") is not None


@pytest.fixture(scope="module")
def faulty(tmp_path_factory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("faulty")
    stack = Stack(FAULTY_BASE, directory, faulty=True, skewable=HAS_FAKETIME)
    stack.up()
    yield Running(stack, stack.settings())
    stack.down()


@pytest.fixture
def faults(faulty) -> Iterator[Faults]:
    faults = faulty.stack.faults()
    yield faults
    faults.clear()
    faults.close()


def upload(running: Running, token: str) -> str:
    """One file, all the way; returns its id."""
    body = secrets.token_bytes(100)
    with RawSocket(running.url, token) as socket:
        ready = socket.request(describe("a.bin", body))
        assert put(ready["upload"], body).status_code == 200
        socket.hear("upload.stored", file_id=ready["fileId"])
    return str(ready["fileId"])


def connections_past_the_proxies(stack: Stack) -> list[str]:
    """Those of our own processes."""
    direct = {stack.ports[place]: target for target, place in stack.ports.behind.items()}
    direct |= {stack.ports["kafka"]: "kafka"}
    found = []
    for row in stack.status():
        if row["name"] in (*GATEWAYS, "admin", *WORKERS):
            process = psutil.Process(row["pid"])
            for one in (process, *process.children(recursive=True)):
                places = [each.raddr.port for each in one.net_connections("tcp") if each.raddr]
                found += [f"{row['name']} to {direct[port]}" for port in places if port in direct]
    return found


def test_without_toxics_an_upload_goes_through_and_every_hop_is_on_its_way(faulty, faults):
    token = faulty.new_user()
    file_id = upload(faulty, token)
    assert [file["fileId"] for file in list_all(faulty.url, token)] == [file_id]
    counts = faults.counts()
    unused = {target for target, count in counts.items() if not count["connections"]}
    assert unused <= {"gateway-b"}
    assert all(not count["faults"] for count in counts.values())
    assert connections_past_the_proxies(faulty.stack) == []


def test_an_engine_comes_back_in_the_middle_of_faults_and_all_is_well_after_them(faulty, faults):
    """The supervisor looks, and makes anew what was lost, past every fault."""
    before = rows(faulty.stack)
    with faults.on("redis", partition=True), faults.on("s3", down=True):
        assert httpx.get(f"{faulty.url}/readyz", timeout=30).status_code == 503
        assert httpx.get(faulty.stack.direct()["AWS_ENDPOINT_URL"], timeout=30).is_success
        os.kill(before["redis"]["pid"], signal.SIGKILL)
        until(lambda: rows(faulty.stack)["redis"]["restarts"] == 1)
        until(lambda: rows(faulty.stack)["redis"]["state"] == "ready")
        until(lambda: is_provisioned(faulty.stack))
    until(lambda: httpx.get(f"{faulty.url}/readyz", timeout=30).status_code == 200)
    upload(faulty, faulty.new_user())
    after = rows(faulty.stack)
    assert [n for n in before if after[n]["pid"] != before[n]["pid"]] == ["redis"]


def test_a_gateway_ends_whole_and_not_only_the_process_it_forked(faulty, faults):
    before = rows(faulty.stack)["gateway-b"]
    token, body = faulty.new_user(), {"messageId": "m-1", "file": describe("a.txt", b"a")}
    headers = {"Authorization": f"Bearer {token}"}
    faults.arm("gateway-b", "before:log.append", 2)
    url = f"{faulty.urls[1]}/files/upload"
    assert httpx.post(url, json=body, headers=headers, timeout=30).status_code == 202
    with pytest.raises(httpx.TransportError):
        httpx.post(url, json=body | {"messageId": "m-2"}, headers=headers, timeout=30)
    assert faults.fired("gateway-b") == "before:log.append"
    until(lambda: rows(faulty.stack)["gateway-b"]["restarts"] == before["restarts"] + 1)
    until(lambda: rows(faulty.stack)["gateway-b"]["state"] == "ready")
    assert httpx.post(url, json=body, headers=headers, timeout=30).status_code < 300


def test_what_cannot_be_armed_is_refused(faults):
    with pytest.raises(ValueError, match="no point 'after:lunch'"):
        faults.arm("metadata", "after:lunch")
    with pytest.raises(ValueError, match="no service 'redis'"):
        faults.arm("redis", "after:log.append")


def test_the_clock_of_one_process_is_wrong_while_it_runs_and_then_right_again(faulty, faults):
    if not HAS_FAKETIME:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("faketime is not installed")
    before = rows(faulty.stack)["upload-basic"]["pid"]
    assert signed_ahead_seconds(faulty) < 60
    faults.skew("upload-basic", 1000)
    until(lambda: 900 < signed_ahead_seconds(faulty) < 1060)
    faults.skew("upload-basic", 0)
    until(lambda: signed_ahead_seconds(faulty) < 60)
    upload(faulty, faulty.new_user())
    assert rows(faulty.stack)["upload-basic"]["pid"] == before


@pytest.mark.parametrize(
    ("service", "point"),
    [
        ("bucket-events", "before:sqs.delete"),
        # Last of all: the group waits 10 s for who is dead before it hands out its partitions.
        ("metadata", "after:offsets.commit"),
    ],
)
def test_a_worker_ends_at_the_point_that_was_armed_and_the_next_goes_on(
    faulty, faults, service, point
):
    before = rows(faulty.stack)[service]
    faults.arm(service, point)
    upload(faulty, faulty.new_user())
    until(lambda: rows(faulty.stack)[service]["restarts"] > before["restarts"])
    until(lambda: rows(faulty.stack)[service]["state"] == "ready")
    after = rows(faulty.stack)[service]
    assert faults.fired(service) == point
    assert (after["restarts"], after["lastExit"]) == (before["restarts"] + 1, EXIT_CODE)


def signed_ahead_seconds(running: Running) -> float:
    """How far ahead of us they are who sign URLs."""
    with RawSocket(running.url, running.new_user()) as socket:
        url = socket.request(describe("a.bin", b"x"))["upload"]["url"]
    [stamp] = re.findall(r"X-Amz-Date=(\w+)", url)
    signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return (signed - datetime.now(UTC)).total_seconds()


def rows(stack: Stack) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in stack.status()}


def is_provisioned(stack: Stack) -> bool:
    return bool(json.loads((stack.directory / "status.json").read_text())["isProvisioned"])


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("store", STORES)
def test_a_faulty_stack_has_ports_of_its_own_within_the_same_range(store):
    ports, plain = Ports(PORT_BASE_MIN, store, is_faulty=True), Ports(PORT_BASE_MIN, store)
    assert plain.by_name.items() < ports.by_name.items()
    assert len(set(ports.by_name.values())) == len(ports.by_name)
    assert max(ports.by_name.values()) - ports.base <= 65535 - PORT_BASE_MAX
    assert {f"faults-{target}" for target in ports.behind} < ports.by_name.keys()
    assert ("store" in ports.behind) == (store != "sqlite")
