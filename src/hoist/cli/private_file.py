"""A JSON object on disk that only its owner may read, changed by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PrivateFile:
    path: Path

    def read(self) -> dict[str, Any]:
        """Empty when there is none, or when it cannot be understood."""
        try:
            entries = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def write(self, entries: dict[str, Any]) -> None:
        """Replace the file in one step: it is never half written, and never readable by others."""
        self._make_directory()
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(entries, indent=2))
        temporary.replace(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held across processes and threads; it ends with its holder."""
        self._make_directory()
        with self.path.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make_directory(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
