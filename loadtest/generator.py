"""What made the load: the machine, the command's options, and what each process of it costs."""

from __future__ import annotations

import os
import platform
import time
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

LEADER = "leader"
SECRET = ("password", "token", "secret", "key")
PLACES = ("locustfile", "csv_prefix", "html_file", "reports")  # of this machine alone


class Effort:
    """CPU seconds of this process since ``start``, and of the others as they told."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._began = time.process_time()
        self._others: dict[str, float] = {}

    @property
    def own(self) -> float:
        return round(time.process_time() - self._began, 2)

    def told(self, process: str, seconds: float) -> None:
        self._others[process] = seconds

    def report(self) -> dict[str, float]:
        """By process: the one that leads, and each worker."""
        workers = {f"worker {n}": self._others[one] for n, one in enumerate(sorted(self._others))}
        return {LEADER: self.own, **workers}


EFFORT = Effort()


def described(options: Namespace, cpu_seconds: Mapping[str, float]) -> dict[str, Any]:
    """All that somebody needs to make the same load again, and to compare the machines."""
    return {
        "options": _plain(options),
        "cores": os.cpu_count(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpuSeconds": dict(cpu_seconds),
    }


def _plain(options: Namespace) -> dict[str, Any]:
    """Those that were set, without what nobody else may know, or could use."""
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in sorted(vars(options).items())
        if value not in (None, False, "", []) and not any(word in name for word in SECRET + PLACES)
    }
