"""PostgreSQL refuses to run as root: a command of root's becomes one of nobody's.

It may still enter every folder, as root may: the stack's own is often in one that only root can.
"""

from __future__ import annotations

import os
import shutil
import subprocess

NOBODY = "65534"
PREFIX = (
    "setpriv",
    *("--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"),
    *("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"),
)


def prefix() -> tuple[str, ...]:
    """What stands before the command; nothing for those who are not root."""
    return PREFIX if os.geteuid() == 0 else ()


def is_possible() -> bool:
    if not prefix():
        return True
    if not shutil.which(PREFIX[0]):
        return False
    return subprocess.run([*PREFIX, "true"], capture_output=True, check=False).returncode == 0
