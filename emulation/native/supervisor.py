"""Starts every service in order, watches it, and starts it again when it dies.

One thread a service. What it knows is written to status.json at each change, so that anybody may
look without asking. Ends on SIGTERM; however it ends, the reaper stops what it started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from emulation import provision
from emulation.native import probes, reaper
from emulation.native.ports import Ports, settings
from emulation.native.services import ROOT, Service, table

START_SECONDS_MAX = 60.0
BACKOFF_SECONDS = (0.5, 15.0)
LOG_TAIL_LINES = 20


class Supervisor:
    def __init__(self, ports: Ports, directory: Path, *, is_skewable: bool = False) -> None:
        self.directory = directory
        # Past the proxies: a fault that is on must not look like a service that does not work.
        self.settings = settings(ports.direct, directory)
        services = table(ports, directory, is_skewable=is_skewable)
        self.services = {service.name: service for service in services}
        self.stopping = threading.Event()
        self.provisioned = threading.Event()
        self._lock = threading.RLock()
        self._state: dict[str, dict[str, Any]] = {
            name: {"name": name, "state": "waiting", "pid": None, "port": service.port}
            | {"restarts": 0, "seconds": None, "since": None, "lastExit": None, "problem": None}
            for name, service in self.services.items()
        }
        self._failure: str | None = None
        self._losses = 0  # how often an engine ended, and may have forgotten what was provisioned
        self.ports = ports
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        self._reaper = reaper.Reaper()

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
        while not self.stopping.wait(1.0):
            # Once the directory is deleted, nobody can find us any more to stop us.
            if not self.directory.exists():
                self.stopping.set()
        self._end()
        return 1 if self._failure else 0

    def _provision(self) -> None:
        """Once every engine works; and again whenever one of them lost its memory."""
        failing_since = None
        engines = [name for name, service in self.services.items() if service.is_engine]
        while not self.stopping.is_set():
            losses = self._losses
            if self.provisioned.is_set() or not all(self._is_ready(name) for name in engines):
                self.stopping.wait(0.05)
                continue
            try:
                provision.everything(self.settings)
            except Exception as error:
                # An engine that has just died is called ready for a moment yet.
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > START_SECONDS_MAX:
                    self._fail(f"could not create bucket, store and topics: {error!r}")
                self.stopping.wait(0.5)
                continue
            failing_since = None
            with self._lock:
                if losses == self._losses:
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
            if process is None:
                return
            is_ready = self._becomes_ready(service, process)
            if not is_ready and self._state[service.name]["restarts"] == 0:
                problem = self._state[service.name]["problem"]
                self._fail(f"{service.name} did not start: {problem}")
                process.wait()  # else its group stays, and the reaper waits for it in vain
                return
            code = process.wait()
            if self.stopping.is_set():
                return
            if service.is_engine:
                with self._lock:
                    self._losses += 1
                    self.provisioned.clear()
            lived = time.monotonic() - began
            is_new_trouble = lived > 30 or self.ports.is_faulty  # there they die on purpose
            backoff = BACKOFF_SECONDS[0] if is_new_trouble else min(backoff * 2, BACKOFF_SECONDS[1])
            restarts = self._state[service.name]["restarts"] + 1
            self._tell(service, state="restarting", pid=None, lastExit=code, restarts=restarts)
            self._forget(process)
            self.stopping.wait(backoff)

    def _start(self, service: Service) -> subprocess.Popen[bytes] | None:
        """None when the stack is being stopped."""
        self._tell(service, state="starting", problem=None)
        data = self.directory / service.name / "data"
        with self.log_of(service.name).open("ab") as log:
            if service.prepare and not data.exists():
                preparing = self._spawn(service.prepare, service.env, log)
                if preparing is None:
                    return None
                preparing.wait()
                self._forget(preparing)
            mark = log.seek(0, os.SEEK_END)
            process = self._spawn(service.command, service.env, log)
        if process:
            self._tell(service, pid=process.pid, since=time.time(), mark=mark)
        return process

    def _spawn(
        self, command: Sequence[str], env: Mapping[str, str], log: IO[bytes]
    ) -> subprocess.Popen[bytes] | None:
        """Start *command* in a group of its own; None once the stack is being stopped."""
        with self._lock:
            if self.stopping.is_set():
                return None
            process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._reaper.watch(process.pid)
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
                probe(dict(service.env) | self.settings, fresh)
            except Exception as error:
                self._state[service.name]["problem"] = repr(error)
                if time.monotonic() - began > START_SECONDS_MAX and not self._is_excused(service):
                    reaper.stop({process.pid})
                    return False
                self.stopping.wait(0.1)
                continue
            finally:
                fresh.unlink(missing_ok=True)
            seconds = round(time.monotonic() - began, 1)
            self._tell(service, state="ready", seconds=seconds, problem=None)
            return True
        if process.returncode is not None:
            problem = f"it ended with exit code {process.returncode}"
            self._state[service.name]["problem"] = problem
        return False

    def _is_excused(self, service: Service) -> bool:
        """What comes back in the middle of faults is ready when they let it be."""
        return self.ports.is_faulty and self._state[service.name]["restarts"] > 0

    def _is_ready(self, name: str) -> bool:
        return bool(self._state[name]["state"] == "ready")

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        """Stop what the ended process left in its group, and take it off the reaper's list."""
        reaper.stop({process.pid})
        with self._lock:
            self._reaper.forget(process.pid)

    def _fail(self, problem: str) -> None:
        with self._lock:
            if self._failure is None and not self.stopping.is_set():
                self._failure = problem
        self._write()
        self.stopping.set()

    def _end(self) -> None:
        with self._lock:  # nothing is started any more
            self._reaper.end()
        for state in self._state.values():
            state |= {"state": "stopped", "pid": None}
        with suppress(FileNotFoundError):
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
                "portBase": self.ports.base,
                "store": self.ports.store,
                "isFaulty": self.ports.is_faulty,
                "failure": self._failure,
                "isProvisioned": self.provisioned.is_set(),
                "services": list(self._state.values()),
            }
            path = self.directory / "status.json"
            path.with_suffix(".new").write_text(json.dumps(told))
            path.with_suffix(".new").replace(path)
