"""Starts every service in order, watches it, and starts it again when it dies.

One thread a service. What it knows is written to status.json at each change, so that anybody may
look without asking. Ends on SIGTERM; however it ends, the reaper stops what it started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from emulation import provision
from emulation.native import probes, reaper
from emulation.native.ports import Ports, settings
from emulation.native.services import ENGINES, ROOT, Service, table

START_SECONDS_MAX = 60.0
BACKOFF_SECONDS = (0.5, 15.0)
LOG_TAIL_LINES = 20


class Supervisor:
    def __init__(self, ports: Ports, directory: Path) -> None:
        self.directory = directory
        self.settings = settings(ports, directory)
        self.services = {service.name: service for service in table(ports, directory)}
        self.stopping = threading.Event()
        self.provisioned = threading.Event()
        self._lock = threading.RLock()
        self._state: dict[str, dict[str, Any]] = {
            name: {"name": name, "state": "waiting", "pid": None, "port": service.port}
            | {"restarts": 0, "seconds": None, "since": None, "lastExit": None, "problem": None}
            for name, service in self.services.items()
        }
        self._failure: str | None = None
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "emulation.native.reaper"],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
            text=True,
        )

    def run(self) -> int:
        """Until SIGTERM, or until a service cannot be started at all. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        self._write()
        threads = [threading.Thread(target=self._provision, name="provision")]
        threads += [
            threading.Thread(target=self._keep, args=(service,), name=service.name)
            for service in self.services.values()
        ]
        for thread in threads:
            thread.daemon = True
            thread.start()
        self.stopping.wait()
        self._end()
        return 1 if self._failure else 0

    def _provision(self) -> None:
        """Once every engine works; and again whenever one of them lost its memory."""
        while not self.stopping.is_set():
            if self.provisioned.is_set() or not all(self._is_ready(name) for name in ENGINES):
                self.stopping.wait(0.05)
                continue
            try:
                provision.everything(self.settings)
            except Exception as error:
                if not all(self._is_ready(name) for name in ENGINES):
                    continue
                self._fail(f"could not create bucket, table and topics: {error!r}")
            self.provisioned.set()
            self._write()

    def _keep(self, service: Service) -> None:
        backoff = BACKOFF_SECONDS[0]
        while service.needs and not self.provisioned.wait(0.05):
            if self.stopping.is_set():
                return
        while not self.stopping.is_set():
            began = time.monotonic()
            process = self._start(service)
            is_ready = self._becomes_ready(service, process)
            if not is_ready and self._state[service.name]["restarts"] == 0:
                problem = self._state[service.name]["problem"]
                self._fail(f"{service.name} did not start: {problem}")
                return
            code = process.wait()
            self._forget(process)
            if self.stopping.is_set():
                return
            if service.is_engine:
                self.provisioned.clear()
            lived = time.monotonic() - began
            backoff = BACKOFF_SECONDS[0] if lived > 30 else min(backoff * 2, BACKOFF_SECONDS[1])
            restarts = self._state[service.name]["restarts"] + 1
            self._tell(service, state="restarting", pid=None, lastExit=code, restarts=restarts)
            self.stopping.wait(backoff)

    def _start(self, service: Service) -> subprocess.Popen[bytes]:
        self._tell(service, state="starting", problem=None)
        data = self.directory / service.name / "data"
        with self.log_of(service.name).open("ab") as log:
            if service.prepare and not data.exists():
                subprocess.run(
                    service.prepare, env=service.env, stdout=log, stderr=log, check=False
                )
            mark = log.tell()
            process = subprocess.Popen(
                service.command,
                env=dict(service.env),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert self._reaper.stdin
        with self._lock:
            self._reaper.stdin.write(f"+{process.pid}\n")
            self._reaper.stdin.flush()
        self._tell(service, pid=process.pid, since=time.time(), mark=mark)
        return process

    def _becomes_ready(self, service: Service, process: subprocess.Popen[bytes]) -> bool:
        """Ask the probe until it is satisfied, the process ends, or patience does."""
        began = time.monotonic()
        probe = probes.of(service.name)
        fresh = self.directory / "logs" / f".{service.name}.fresh"
        while process.poll() is None and not self.stopping.is_set():
            try:
                text = self.log_of(service.name).read_bytes()[self._state[service.name]["mark"] :]
                fresh.write_bytes(text)
                probe(self.settings | dict(service.env), fresh)
            except Exception as error:
                self._state[service.name]["problem"] = repr(error)
                if time.monotonic() - began > START_SECONDS_MAX:
                    reaper.stop({process.pid})
                    return False
                self.stopping.wait(0.1)
                continue
            finally:
                fresh.unlink(missing_ok=True)
            seconds = round(time.monotonic() - began, 1)
            self._tell(service, state="ready", seconds=seconds, problem=None)
            return True
        return False

    def _is_ready(self, name: str) -> bool:
        return bool(self._state[name]["state"] == "ready")

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        """Stop what the ended process left in its group, and take it off the reaper's list."""
        reaper.stop({process.pid})
        assert self._reaper.stdin
        with self._lock:
            self._reaper.stdin.write(f"-{process.pid}\n")
            self._reaper.stdin.flush()

    def _fail(self, problem: str) -> None:
        with self._lock:
            if self._failure is None and not self.stopping.is_set():
                self._failure = problem
        self._write()
        self.stopping.set()

    def _end(self) -> None:
        assert self._reaper.stdin
        self._reaper.stdin.close()
        self._reaper.wait()
        for state in self._state.values():
            state |= {"state": "stopped", "pid": None}
        self._write()

    def log_of(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _tell(self, service: Service, **changes: Any) -> None:
        with self._lock:
            self._state[service.name] |= changes
        self._write()

    def _write(self) -> None:
        with self._lock:
            told = {
                "pid": os.getpid(),
                "failure": self._failure,
                "isProvisioned": self.provisioned.is_set(),
                "services": list(self._state.values()),
            }
            path = self.directory / "status.json"
            path.with_suffix(".new").write_text(json.dumps(told))
            path.with_suffix(".new").replace(path)
