"""Logins on disk: one file, readable by its owner only, one entry per issuer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from hoist.cli.private_file import PrivateFile
from hoist.client import Tokens


@dataclass(frozen=True)
class CredentialsFile:
    """The entry of one issuer in the file at ``path``."""

    path: Path
    issuer: str

    def load(self) -> Tokens | None:
        entry = self._file.read().get(self.issuer)
        return Tokens(**entry) if entry else None

    def save(self, tokens: Tokens | None) -> None:
        entries = self._file.read()
        entries.pop(self.issuer, None)
        if tokens:
            entries[self.issuer] = asdict(tokens)
        self._file.write(entries)

    def lock(self) -> AbstractContextManager[None]:
        """Held across processes and threads; it ends with its holder."""
        return self._file.lock()

    @property
    def _file(self) -> PrivateFile:
        return PrivateFile(self.path)
