"""Outlives the supervisor by a moment, to leave nothing behind.

It reads ``+pid`` and ``-pid`` lines from the supervisor. When the pipe closes, however the
supervisor ended, the process groups that are left are asked to stop, then killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_SECONDS = 3.0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        groups.add(pid) if line[0] == "+" else groups.discard(pid)
    stop(groups)


def stop(groups: set[int], grace_seconds: float = GRACE_SECONDS) -> None:
    """SIGTERM to every group, SIGKILL to those that are still there after the grace."""
    for group in groups:
        send(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while any(send(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in groups:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Whether the process group exists and took the signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
