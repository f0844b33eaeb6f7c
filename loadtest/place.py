"""Where the load goes: the local stack that runs, or what the environment names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from emulation.native.ports import PORT_BASE_DEFAULT, settings, stack_dir
from emulation.native.stack import Stack


def stack() -> Stack:
    """The local one, whether it runs or not."""
    return Stack(PORT_BASE_DEFAULT, stack_dir())


def environment() -> Mapping[str, str]:
    """The settings of what runs here, else of what the environment names.

    Raises ``SystemExit`` when there is neither.
    """
    ports = stack().running_ports()
    if ports:
        return settings(ports, stack_dir())
    if "HOIST_URL" in os.environ:
        return {k: v for k, v in os.environ.items() if k.startswith(("HOIST_", "AWS_"))}
    raise SystemExit("the stack is down; start it with: make up")
