"""Clocks that are wrong: libfaketime before a process, told by a file by how much.

Only the time of day is changed, while the process runs; how long things take stays true.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PRELOADS = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "DYLD_FORCE_FLAT_NAMESPACE")
LATE_SECONDS = 1  # until a process looks at its file again


class NoFaketime(Exception):
    """Clocks cannot be changed here; the message says what to install."""


def environment(file: Path) -> dict[str, str]:
    """What makes a process's clock follow *file*, which must exist. Raises ``NoFaketime``."""
    return preload() | {
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": str(LATE_SECONDS),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",  # of libfaketime before 0.9.9
        "NO_FAKE_STAT": "1",
    }


def preload() -> dict[str, str]:
    """Where the library is differs everywhere; its own program knows. Raises ``NoFaketime``."""
    program = shutil.which("faketime")
    if program is None:
        raise NoFaketime(
            "clocks can only be changed with libfaketime; install it: "
            "apt-get install faketime, dnf install libfaketime, or brew install libfaketime"
        )
    told = subprocess.run(
        [program, "-m", "-f", "+0", "env"], capture_output=True, text=True, check=True
    )
    pairs = (line.partition("=") for line in told.stdout.splitlines())
    return {name: value for name, _, value in pairs if name in PRELOADS}


def write(file: Path, seconds: float) -> None:
    """In one step: half a line would be another time."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(f"{seconds:+f}\n")
    new.replace(file)
