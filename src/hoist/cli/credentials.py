"""Logins on disk: one file, readable by its owner only, one entry per issuer."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoist.client import Tokens


@dataclass(frozen=True)
class CredentialsFile:
    """The entry of one issuer in the file at ``path``."""

    path: Path
    issuer: str

    def load(self) -> Tokens | None:
        entry = self._entries().get(self.issuer)
        return Tokens(**entry) if entry else None

    def save(self, tokens: Tokens | None) -> None:
        entries = self._entries()
        entries.pop(self.issuer, None)
        if tokens:
            entries[self.issuer] = asdict(tokens)
        self._write(json.dumps(entries, indent=2))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held across processes and threads; it ends with its holder."""
        self._make_directory()
        with self.path.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _entries(self) -> dict[str, Any]:
        try:
            entries = json.loads(self.path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}  # what cannot be read is a login that has to be made again
        return entries if isinstance(entries, dict) else {}

    def _write(self, text: str) -> None:
        """Replace the file in one step: it is never half written, and never readable by others."""
        self._make_directory()
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(self.path)

    def _make_directory(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
