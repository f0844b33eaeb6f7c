"""Outlives the supervisor by a moment, to leave nothing behind.

It reads ``+pid`` and ``-pid`` lines from the supervisor. When the pipe closes, however the
supervisor ended, the process groups that are left are asked to stop, then killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_SECONDS, KILL_SECONDS = 3.0, 2.0


class Reaper:
    """The supervisor's end of the pipe; for one thread at a time."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process = _start()
        self._has_ended = False

    def watch(self, group: int) -> None:
        self._groups.add(group)
        self._say(f"+{group}")

    def forget(self, group: int) -> None:
        self._groups.discard(group)
        self._say(f"-{group}")

    def end(self) -> None:
        """Return once everything that is watched has ended; what is said later is not heard."""
        self._say("")
        self._has_ended = True
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        if self._has_ended:
            return
        if self._process.poll() is not None:  # killed: another one takes over
            self._process = _start()
            line = "\n".join(f"+{group}" for group in self._groups)
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in filter(str.strip, sys.stdin):
        pid = int(line[1:])
        groups.add(pid) if line[0] == "+" else groups.discard(pid)
    stop(groups)


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "emulation.native.reaper"],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
        text=True,
    )


def stop(groups: set[int], grace_seconds: float = GRACE_SECONDS) -> None:
    """SIGTERM to every group, SIGKILL to those that are still there after the grace.

    Returns once they are gone; a group whose dead nobody waits for keeps it for KILL_SECONDS.
    """
    for group in groups:
        send(group, signal.SIGTERM)
    if not _are_gone(groups, grace_seconds):
        for group in groups:
            send(group, signal.SIGKILL)
        _are_gone(groups, KILL_SECONDS)


def _are_gone(groups: set[int], seconds_max: float) -> bool:
    deadline = time.monotonic() + seconds_max
    while any(send(group, 0) for group in groups):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def send(group: int, number: int) -> bool:
    """Whether the process group exists and took the signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
