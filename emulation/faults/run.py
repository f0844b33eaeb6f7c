"""``python -m emulation.faults.run MODULE ARGUMENT…``: as ``python -m MODULE``, but it may crash.

CRASH_FILE names the file that arms it, CRASH_AT what is armed from the start (see ``crash``).
FAKETIME_TIMESTAMP_FILE is libfaketime's own (see ``clock``). Little is imported here: the module
must find the standard library as it is.
"""

from __future__ import annotations

import os
import runpy
import select
import sys
import time
from pathlib import Path

from emulation.faults.crash import Crash, Finder


def main() -> None:
    file = os.environ.get("CRASH_FILE")
    crash = Crash(Path(file) if file else None, os.environ.get("CRASH_AT", ""))
    sys.meta_path.insert(0, Finder(crash))
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        setattr(time, "sleep", sleep)  # noqa: B010
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def sleep(seconds: float, /) -> None:
    """Where only the time of day is wrong, Python's own is refused by libfaketime 0.9.10."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


if __name__ == "__main__":
    main()
