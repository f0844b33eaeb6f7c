"""A stack from outside: start it, look at it, stop it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from emulation.faults.client import Faults
from emulation.native import engines, reaper
from emulation.native.ports import OVERRIDES, STORE_DEFAULT, Ports, settings
from emulation.native.preflight import check, check_directory
from emulation.native.services import ROOT

CLEANED = ("kafka", "postgres", "sqlite", "localstack", "redis", "logs", "crash-at", "skew")
UP_SECONDS_MAX, DOWN_SECONDS_MAX = 180.0, 20.0


class StackFailed(Exception):
    """The stack could not be started; the message says what failed and what to do."""


class Stack:
    """With *faulty*, everybody goes through proxies, which ``faults()`` makes misbehave.

    Our own processes can be made to crash then and, with *skewable*, to tell the wrong time.
    *overrides* are settings that each of them gets in the place of the usual ones.
    """

    def __init__(
        self,
        port_base: int,
        directory: Path,
        store: str = STORE_DEFAULT,
        *,
        faulty: bool = False,
        skewable: bool = False,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        if skewable and not faulty:
            raise ValueError("only a faulty stack is skewable")
        self.ports = Ports(port_base, store, faulty)
        self.is_skewable = skewable
        self.directory = Path(directory).resolve()
        self._overrides = dict(overrides or {})
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self) -> dict[str, str]:
        return settings(self.ports, self.directory)

    def direct(self) -> dict[str, str]:
        """Settings of who must not be hit by any fault: who looks what came of it all."""
        return settings(self.ports.direct, self.directory)

    def faults(self) -> Faults:
        return Faults(f"http://127.0.0.1:{self.ports['faults']}", self.directory)

    def up(self, tell: Callable[[dict[str, Any]], None] = lambda service: None) -> bool:
        """Start everything and return once it works; False when it ran already.

        *tell* hears each service as it becomes ready. Raises ``StackFailed`` or ``NotFit``;
        nothing that was started here is left running then.
        """
        check_directory(self.directory)
        is_new = False
        try:
            # Of two who start at once, the second waits and then finds it running.
            with self._lock("start.lock"):
                is_new = not self.is_running()
                if is_new:
                    self._start()
            self._wait_ready(tell)
        except BaseException:
            if is_new:
                self.down()
            raise
        return is_new

    def down(self) -> bool:
        """Stop everything; False when nothing ran."""
        pid = self._supervisor()
        if pid:
            for number in (signal.SIGTERM, signal.SIGCONT):
                _send(pid, number)
        deadline = time.monotonic() + DOWN_SECONDS_MAX
        while pid and (self.is_running() or _is_there(pid)):
            if time.monotonic() > deadline:
                _send(pid, signal.SIGKILL)
            time.sleep(0.05)
        if self._process:
            self._process.wait()
        return self._sweep() or pid is not None

    def status(self) -> list[dict[str, Any]]:
        """Every service, with its state, pid, port, restarts and last exit; [] when it is down."""
        return list(self._told().get("services", [])) if self.is_running() else []

    def is_running(self) -> bool:
        return self._supervisor() is not None

    def running_ports(self) -> Ports | None:
        """Where what runs in this directory listens; None also while it has not told yet."""
        told = self._told() if self.is_running() else {}
        return _ports(told) if told else None

    def _start(self) -> None:
        """Start the supervisor, and return once it tells its state."""
        self._sweep()
        check(self.ports, self.directory, is_skewable=self.is_skewable)
        if self.ports.store == "postgres":
            engines.install(["postgres"])
        self._clean()
        with (self.directory / "logs" / "supervisor.log").open("wb") as log:
            environment = os.environ | {
                "STACK_PORT_BASE": str(self.ports.base),
                "STACK_STORE": self.ports.store,
                "STACK_FAULTY": "yes" if self.ports.is_faulty else "",
                "STACK_SKEWABLE": "yes" if self.is_skewable else "",
                "STACK_DIR": str(self.directory),
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "emulation.native", "supervise"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._told():
            if self._process.poll() is not None:
                raise StackFailed(self._explain("the supervisor did not start"))
            time.sleep(0.02)

    def _wait_ready(self, tell: Callable[[dict[str, Any]], None]) -> None:
        deadline = time.monotonic() + UP_SECONDS_MAX
        told: set[str] = set()
        state = self._told()
        running = _ports(state) if state else self.ports
        if running != self.ports:
            where = f"PORT_BASE={running.base} STORE={running.store}"
            where += ", faulty" if running.is_faulty else ""
            raise StackFailed(f"it runs already, with {where}")
        while time.monotonic() < deadline:
            is_running = self.is_running()
            state = self._told()
            if state["failure"]:
                raise StackFailed(self._explain(state["failure"]))
            for service in state["services"]:
                if service["state"] == "ready" and service["name"] not in told:
                    told.add(service["name"])
                    tell(service)
            if len(told) == len(state["services"]):
                return
            if all(service["state"] == "stopped" for service in state["services"]):
                raise StackFailed("somebody stopped the stack; start it again with: make up")
            if not is_running:
                raise StackFailed(self._explain("the supervisor ended"))
            time.sleep(0.05)
        late = [service for service in self._told()["services"] if service["state"] != "ready"]
        names = ", ".join(f"{item['name']} ({item['problem']})" for item in late)
        raise StackFailed(self._explain(f"not ready within {UP_SECONDS_MAX:.0f} s: {names}"))

    def _explain(self, problem: str) -> str:
        """*problem*, with the last lines of the log of whom it names."""
        names = [path.stem for path in (self.directory / "logs").glob("*.log")]
        named = sorted((problem.index(name), name) for name in names if name in problem)
        culprit = named[0][1] if named else "supervisor"
        path = self.directory / "logs" / f"{culprit}.log"
        lines = path.read_text(errors="replace").splitlines()[-20:] if path.exists() else []
        tail = "\n".join(f"  {line}" for line in lines)
        return f"{problem}\nlast lines of {path}:\n{tail}\nthen try: make logs S={culprit}"

    def _clean(self) -> None:
        """A start is a fresh start: the engines keep nothing from the time before."""
        for name in CLEANED:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        (self.directory / "status.json").unlink(missing_ok=True)
        (self.directory / "logs").mkdir(parents=True)
        (self.directory / OVERRIDES).write_text(json.dumps(self._overrides))
        shutil.copy2(ROOT / "src" / "hoist" / "tiers.json", self.directory)

    def _sweep(self) -> bool:
        """Stop what is left of a stack whose supervisor was killed; False when nothing is."""
        left = {
            service["pid"] for service in self._told().get("services", []) if _is_alive(service)
        }
        reaper.stop(left)
        return bool(left)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with (self.directory / name).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _told(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.directory / "status.json").read_text()))
        except FileNotFoundError:
            return {}

    def _supervisor(self) -> int | None:
        """The running supervisor's pid: it holds the lock for as long as it lives."""
        try:
            with (self.directory / "supervisor.lock").open("r") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0) or None
        except FileNotFoundError:
            pass
        return None


def _ports(told: dict[str, Any]) -> Ports:
    """Where what told this listens."""
    return Ports(told["portBase"], told["store"], told["isFaulty"])


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_alive(service: dict[str, Any]) -> bool:
    """Whether the process that was started for *service* is there, and not another of its pid."""
    if not service["pid"]:
        return False
    with suppress(psutil.Error):
        is_same = abs(psutil.Process(service["pid"]).create_time() - service["since"]) < 5
        return is_same and _is_there(service["pid"])
    return False


def _is_there(pid: int) -> bool:
    with suppress(psutil.Error):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False
