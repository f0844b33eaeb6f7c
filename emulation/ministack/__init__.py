"""A second emulator of AWS, which knows nothing of the first: for contract tests only.

In an environment of its own, as locked, fetched when it is first asked for.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from emulation.native.services import ROOT

LOCK = Path(__file__).parent / "requirements.lock"


def command() -> tuple[str, ...]:
    """What starts it. Fetches what is missing; a second call needs no network."""
    place = ROOT / ".stack" / "ministack-venv"
    python = place / "bin" / "python"
    stamp = place / f".complete-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not stamp.exists():
        uv = str(ROOT / ".stack" / "uv")
        sync = (uv, "pip", "sync", "--python", str(python), "--require-hashes", str(LOCK))
        subprocess.run((uv, "venv", "--clear", "--python", sys.executable, str(place)), check=True)
        subprocess.run(sync, check=True)
        stamp.touch()
    return (str(python), "-m", "ministack")


def environment(port: int, region: str) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "dynamodb"}
    return kept | own | {"MINISTACK_REGION": region, "LOG_LEVEL": "WARNING"}
