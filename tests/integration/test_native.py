"""The native stack as a person meets it: started, looked at, broken, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path

import psutil
import pytest

from emulation.native.ports import Ports
from emulation.native.reaper import Reaper
from emulation.native.stack import Stack, StackFailed
from hoist.config import Settings
from tests.conftest import TEST_PORT_BASE

ROOT = Path(__file__).parents[2]
ENGINES = ROOT / ".stack" / "engines"
PATIENCE_SECONDS = 120
OTHER_BASE = TEST_PORT_BASE + 200
SHUT = Ports(OTHER_BASE)


def native(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m emulation.native WORDS``, with nothing of this process's own settings."""
    return subprocess.run(
        [sys.executable, "-m", "emulation.native", *words],
        env=clean() | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def clean() -> dict[str, str]:
    ours = ("HOIST_", "AWS_", "STACK_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return own | {"STACK_ENGINES": str(ENGINES)}


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(directory: Path) -> set[psutil.Process]:
    """Every process that has to do with the second stack, which may be in *directory*."""
    found = set()
    for process in psutil.process_iter():
        try:
            words = " ".join([*process.cmdline(), *process.environ().values()])
        except psutil.Error:
            continue
        ports = "|".join(str(port) for port in SHUT.by_name.values())
        if str(directory) in words or re.search(rf"\b({ports})\b", words):
            found.add(process)
    return found


def alive(processes: set[psutil.Process]) -> list[str]:
    """Those that run, with their command lines: who finds one wants to know what it is."""
    return [f"{process} {_command(process)}" for process in processes if is_alive(process)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error as error:
        return repr(error)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def at(stack) -> Mapping[str, str]:
    """What the verbs need to find the running stack."""
    base, directory = str(stack.stack.ports.base), str(stack.stack.directory)
    return {"STACK_PORT_BASE": base, "STACK_DIR": directory}


@pytest.fixture
def elsewhere(tmp_path) -> Iterator[Mapping[str, str]]:
    """Room for a second stack; whatever is left of it in the end is stopped."""
    yield {"STACK_PORT_BASE": str(OTHER_BASE), "STACK_DIR": str(tmp_path)}
    Stack(OTHER_BASE, tmp_path).down()


def test_a_taken_port_is_refused_with_its_holder_and_the_setting_that_moves_it(elsewhere):
    with socket.create_server(("127.0.0.1", SHUT["redis"])):
        refused = native("up", **elsewhere)
    assert refused.returncode == 1
    assert f"port {SHUT['redis']} (redis) is taken by pid {os.getpid()} (" in refused.stderr
    assert f"make up PORT_BASE={OTHER_BASE + 1000}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not alive(processes_of(Path(elsewhere["STACK_DIR"])))


@pytest.mark.parametrize("base", ["abc", "80", "65500", "-1", "1.5"])
def test_a_port_base_that_makes_no_sense_is_refused_in_one_line(base, elsewhere):
    refused = native("up", **{**elsewhere, "STACK_PORT_BASE": base})
    assert refused.returncode == 2
    limits = f"PORT_BASE must be a whole number from 1024 to 65442, and is {base!r}"
    assert refused.stderr.splitlines() == [limits]


def test_a_place_that_cannot_be_written_is_refused_with_another_choice(elsewhere):
    refused = native("up", **{**elsewhere, "STACK_DIR": "/proc/hoist"})
    assert refused.returncode == 1
    assert "cannot write to /proc/hoist (" in refused.stderr
    assert "STACK_DIR=" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_killed_supervisor_leaves_nothing_and_does_not_hinder_the_next_start(tmp_path, elsewhere):
    stack = Stack(OTHER_BASE, tmp_path)
    stack.up()
    services = {psutil.Process(row["pid"]) for row in stack.status()}
    children = {child for one in services for child in one.children(recursive=True)}
    everything = services | children | processes_of(tmp_path)
    [supervisor] = {process.ppid() for process in services}
    assert len(everything) >= len(services) + 2  # the supervisor and its reaper
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not alive(everything))
    assert not stack.down()
    assert native("status", **elsewhere).returncode == 1
    with interrupted_start(elsewhere, when=lambda: "redis" in ready(tmp_path)):
        pass


def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(tmp_path, elsewhere):
    with interrupted_start(elsewhere, when=lambda: ready(tmp_path)) as told:
        assert "nothing is left running. Start again with: make up" in told
        assert "Traceback" not in told


@contextmanager
def interrupted_start(where: Mapping[str, str], when: Callable[[], object]) -> Iterator[str]:
    """Start a stack, press Ctrl-C as soon as *when* holds; hands over what it said."""
    directory = Path(where["STACK_DIR"])
    up = subprocess.Popen(
        [sys.executable, "-m", "emulation.native", "up"],
        env=clean() | where,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: when() or up.poll() is not None)
        everything = processes_of(directory)
        up.send_signal(signal.SIGINT)
        _, told = up.communicate(timeout=PATIENCE_SECONDS)
    finally:
        up.kill()
        up.communicate()
    assert up.returncode == 130, told
    assert len(everything) > 3
    until(lambda: not alive(everything | processes_of(directory)))
    yield told


def ready(directory: Path) -> set[str]:
    try:
        told = json.loads((directory / "status.json").read_text())
    except FileNotFoundError:
        return set()
    if not psutil.pid_exists(told["pid"]):
        return set()
    return {row["name"] for row in told["services"] if row["state"] == "ready"}


def test_a_service_that_cannot_start_is_named_with_its_last_words(tmp_path, elsewhere):
    engines = tmp_path / "engines"
    engines.mkdir()
    for engine in ("kafka", "dynamodb"):
        (engines / engine).symlink_to(ENGINES / engine)
    broken = engines / "redis" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'out of coffee'\nexit 7\n")
    broken.chmod(0o755)
    path = os.pathsep.join(
        folder
        for folder in os.environ["PATH"].split(os.pathsep)
        if not (Path(folder) / "redis-server").exists()
    )
    failed = native("up", **elsewhere, STACK_ENGINES=str(engines), PATH=path)
    assert failed.returncode == 1
    assert "redis did not start: it ended with exit code 7" in failed.stderr
    assert f"last lines of {tmp_path}/logs/redis.log:\n  out of coffee\n" in failed.stderr
    assert "make logs S=redis" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not alive(processes_of(tmp_path))


def test_a_reaper_that_has_ended_is_not_replaced_by_another():
    ended = Reaper()
    ended.end()
    ended.forget(1)
    left = psutil.Process().children()
    assert not [one for one in left if is_alive(one) and "emulation.native.reaper" in _command(one)]


LINGERS = """
import fcntl, os, signal, sys, time
lock = open(sys.argv[1], "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid()))
lock.flush()
signal.signal(signal.SIGTERM, lambda *_: None)
print("here", flush=True)
signal.pause()
lock.close()
time.sleep(2)
"""


def test_down_returns_once_the_supervisor_itself_is_gone(tmp_path):
    command = [sys.executable, "-c", LINGERS, str(tmp_path / "supervisor.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout
        supervisor.stdout.readline()
        assert Stack(OTHER_BASE, tmp_path).down()
        assert supervisor.poll() is not None


def test_a_second_up_is_harmless_and_says_so(stack, at):
    before = [row["pid"] for row in stack.stack.status()]
    again = native("up", **at)
    assert again.returncode == 0, again.stderr
    assert "Hoist is up, and was before" in again.stderr
    assert [row["pid"] for row in stack.stack.status()] == before


def test_another_port_base_than_the_running_one_is_refused(stack, at):
    refused = native("up", **{**at, "STACK_PORT_BASE": str(OTHER_BASE)})
    assert refused.returncode == 1
    assert f"runs with PORT_BASE={stack.stack.ports.base}, not {OTHER_BASE}" in refused.stderr
    with pytest.raises(StackFailed, match="runs already"):
        Stack(OTHER_BASE, stack.stack.directory).up()
    assert stack.stack.is_running()


def test_without_a_port_base_the_running_one_is_found(stack, at):
    found = native("port-base", STACK_DIR=at["STACK_DIR"])
    assert int(found.stdout) == stack.stack.ports.base


def test_all_forms_of_status_agree(stack, at):
    rows = json.loads(native("status", "-o", "json", **at).stdout)
    assert {row["state"] for row in rows} == {"ready"}
    assert [row["name"] for row in rows] == [row["name"] for row in stack.stack.status()]
    table = native("status", "-o", "table", **at)
    assert table.returncode == 0
    lines = [line.split() for line in table.stdout.splitlines()[1:]]
    assert [line[:3] for line in lines] == [
        [row["name"], row["state"], str(row["pid"])] for row in rows
    ]
    settings = sourced(native("status", "-o", "env", **at).stdout)
    assert settings == stack.settings
    ports = {row["name"]: row["port"] for row in rows}
    assert settings["HOIST_ISSUER"] == f"http://127.0.0.1:{ports['issuer']}/"
    assert settings["HOIST_KAFKA_BOOTSTRAP"] == f"127.0.0.1:{ports['kafka']}"
    gateways = [f"http://127.0.0.1:{ports[name]}" for name in ("gateway-a", "gateway-b")]
    assert settings["HOIST_URL"].split(",") == gateways


def test_the_environment_holds_all_that_a_process_of_ours_requires(at):
    settings = sourced(native("status", "-o", "env", **at).stdout)
    required = {
        f"HOIST_{field.name.upper()}"
        for field in fields(Settings)
        if field.default is MISSING and field.default_factory is MISSING
    }
    assert required <= settings.keys()
    assert Settings.from_env(settings)


def sourced(exports: str) -> dict[str, str]:
    """What bash makes of *exports*."""
    names = re.findall(r"^export (\w+)=", exports, flags=re.M)
    values = " ".join(f'"${name}"' for name in names)
    script = f"set -euo pipefail\n{exports}\nprintf '%s\\0' {values}"
    told = subprocess.run(["bash", "-c", script], env={}, capture_output=True, check=True)
    return dict(zip(names, told.stdout.decode().split("\0"), strict=False))


def test_logs_are_one_stream_in_the_order_of_time(at):
    lines = native("logs", "-n", "100000", **at).stdout.splitlines()
    stamped = [line for line in lines if re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line)]
    times = [line.split()[0] for line in stamped]
    assert times == sorted(times)
    assert len({line.split()[1] for line in stamped}) > 5


def test_logs_are_chosen_by_service_and_text(at):
    redis = native("logs", "redis", **at).stdout.splitlines()
    assert {line.split()[1] for line in redis} == {"redis"}
    ready_lines = native("logs", "--grep", "worker ready", **at).stdout.splitlines()
    assert ready_lines
    assert all("worker ready" in line for line in ready_lines)
    assert "metadata" in {line.split()[1] for line in ready_lines}
    assert len(native("logs", "-n", "3", **at).stdout.splitlines()) == 3
    unknown = native("logs", "nope", **at)
    assert unknown.returncode == 2
    assert "there is no service 'nope'; these are: kafka," in unknown.stderr


def test_the_doctor_finds_a_well_stack_well(at):
    found = native("doctor", **at)
    assert found.returncode == 0, found.stderr
    *services, other = found.stderr.splitlines()
    assert all(line.endswith(": well") for line in services)
    assert other == "whether what they keep agrees: hoist doctor"


def test_the_doctor_names_a_service_that_hangs(stack, at):
    [issuer] = [row["pid"] for row in stack.stack.status() if row["name"] == "issuer"]
    os.kill(issuer, signal.SIGSTOP)
    try:
        until(lambda: psutil.Process(issuer).status() == psutil.STATUS_STOPPED)
        found = native("doctor", **at)
    finally:
        os.kill(issuer, signal.SIGCONT)
    assert found.returncode == 1
    assert re.search(r"^issuer: .*; see: make logs S=issuer$", found.stderr, flags=re.M)
    assert "redis: well" in found.stderr.splitlines()
    until(lambda: native("doctor", **at).returncode == 0)


def test_the_verbs_say_so_when_nothing_runs(elsewhere):
    for verb in (["status"], ["doctor"]):
        told = native(*verb, **elsewhere)
        assert told.returncode == 1
        assert told.stderr == "the stack is down; start it with: make up\n"
    assert native("down", **elsewhere).stderr == "nothing was running\n"
    assert "no logs yet" in native("logs", **elsewhere).stderr


def test_every_next_step_that_is_printed_is_a_make_target():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    source = "".join(path.read_text() for path in (ROOT / "emulation" / "native").glob("*.py"))
    told = set(re.findall(r"(?:: |\])make ([a-z]+)", source))
    assert {"up", "down", "demo", "logs"} <= told <= targets
