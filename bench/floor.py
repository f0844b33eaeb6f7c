"""Bare servers: the least that can be called the same job, under the gateway's own server.

One gunicorn process with the gevent worker, as a gateway is, unless told otherwise; what each does
is in ``bare``.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from bench.target import cpu_seconds, until

STOP_SECONDS_MAX = 10.0
GREENLETS = ("-k", "gevent", "--worker-connections", "20000")


@dataclass(frozen=True)
class Floor:
    url: str
    process: psutil.Process

    def cpu(self) -> float:
        return cpu_seconds(self.process)


@contextmanager
def running(
    environment: Mapping[str, str], app: str, worker: Sequence[str] = GREENLETS
) -> Iterator[Floor]:
    """``bare.<app>`` on a free port; stopped, by its own pid, when the block ends."""
    port = _free_port()
    address = ("--backlog", "4096", "-b", f"127.0.0.1:{port}", f"bench.bare:{app}()")
    command = (sys.executable, "-m", "gunicorn", *worker, *address)
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: _answers(process, port), f"the bare {app}", 30)
        yield Floor(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError("the bare server did not start")
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])
