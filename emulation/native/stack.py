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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulation.native.ports import Ports, settings
from emulation.native.preflight import check
from emulation.native.services import ROOT

UP_SECONDS_MAX = 180.0


class StackFailed(Exception):
    """The stack could not be started; the message says what failed and what to do."""


class Stack:
    def __init__(self, port_base: int, directory: Path) -> None:
        self.ports = Ports(port_base)
        self.directory = Path(directory).resolve()
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self) -> dict[str, str]:
        return settings(self.ports, self.directory)

    def up(self, tell: Callable[[dict[str, Any]], None] = lambda service: None) -> bool:
        """Start everything and return once it works; False when it ran already.

        *tell* hears each service as it becomes ready. Raises ``StackFailed``; nothing is left
        running then.
        """
        if self.is_running():
            self._wait_ready(tell)
            return False
        check(self.ports, self.directory)
        self._clean()
        with (self.directory / "logs" / "supervisor.log").open("wb") as log:
            command = [sys.executable, "-m", "emulation.native", "supervise"]
            environment = os.environ | {
                "STACK_PORT_BASE": str(self.ports.base),
                "STACK_DIR": str(self.directory),
            }
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_ready(tell)
        except BaseException:
            self.down()
            raise
        return True

    def down(self) -> bool:
        """Stop everything; False when nothing ran."""
        pid = self._supervisor()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        while self.is_running():
            time.sleep(0.05)
        if self._process:
            self._process.wait()
        return True

    def status(self) -> list[dict[str, Any]]:
        """Every service, with its state, pid, port, restarts and last exit; [] when it is down."""
        return list(self._told()["services"]) if self.is_running() else []

    def is_running(self) -> bool:
        return self._supervisor() is not None

    def _wait_ready(self, tell: Callable[[dict[str, Any]], None]) -> None:
        deadline = time.monotonic() + UP_SECONDS_MAX
        told: set[str] = set()
        began = time.monotonic()
        while time.monotonic() < deadline:
            state = self._told()
            if state.get("failure"):
                raise StackFailed(self._explain(state["failure"]))
            services = state.get("services", [])
            for service in services:
                if service["state"] == "ready" and service["name"] not in told:
                    told.add(service["name"])
                    tell(service)
            if services and len(told) == len(services):
                return
            if not self.is_running() and time.monotonic() - began > 10:
                raise StackFailed(self._explain("the supervisor ended"))
            time.sleep(0.05)
        late = [service for service in self._told()["services"] if service["state"] != "ready"]
        names = ", ".join(f"{item['name']} ({item['problem']})" for item in late)
        raise StackFailed(self._explain(f"not ready within {UP_SECONDS_MAX:.0f} s: {names}"))

    def _explain(self, problem: str) -> str:
        """*problem*, with the last lines of the log of whom it names."""
        names = [path.stem for path in (self.directory / "logs").glob("*.log")]
        culprit = next((name for name in names if name in problem), "supervisor")
        path = self.directory / "logs" / f"{culprit}.log"
        lines = path.read_text(errors="replace").splitlines()[-20:] if path.exists() else []
        tail = "\n".join(f"  {line}" for line in lines)
        return f"{problem}\nlast lines of {path}:\n{tail}\nthen try: make logs S={culprit}"

    def _clean(self) -> None:
        """A start is a fresh start: the engines keep nothing from the time before."""
        for name in ("kafka", "localstack", "redis", "logs"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        (self.directory / "status.json").unlink(missing_ok=True)
        (self.directory / "logs").mkdir(parents=True)

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
