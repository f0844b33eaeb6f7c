"""What is different in a stack where everything may fail on purpose."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from emulation.faults import clock, crash
from emulation.native.ports import Ports

HTTP = ("gateway-a", "gateway-b", "issuer")


def proxies(ports: Ports) -> tuple[str, ...]:
    """The command that forwards to whatever our processes and clients talk to."""
    protocols = {"s3": "s3", "sqs": "sqs"} | dict.fromkeys(HTTP, "http")
    if ports.store == "dynamodb":
        protocols["store"] = "dynamodb"
    routes = [
        f"{target}:{protocols.get(target, 'tcp')}:{ports.seen(target)}:{ports[place]}"
        for target, place in ports.behind.items()
    ]
    return (sys.executable, "-m", "emulation.faults", "--control", str(ports["faults"]), *routes)


def launched(command: Sequence[str]) -> tuple[str, ...]:
    """``python -m MODULE …``, by way of the launcher that ends it at a point."""
    python, option, *module = command
    return (python, option, "emulation.faults.run", *module)


def environment(name: str, directory: Path, *, is_skewable: bool) -> dict[str, str]:
    """What the process called *name* needs for it; makes the files that tell it. See ``table``."""
    crash_file, skew_file = directory / "crash-at" / name, directory / "skew" / name
    crash_file.parent.mkdir(parents=True, exist_ok=True)
    crash.fired(crash_file).touch()
    env = {"CRASH_FILE": str(crash_file)}
    if is_skewable:
        skew_file.parent.mkdir(parents=True, exist_ok=True)
        clock.write(skew_file, 0)
        env |= clock.environment(skew_file)
    return env
