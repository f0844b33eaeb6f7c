"""The uploads that were begun and not finished, on disk: what a killed command goes on with."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hoist.cli.private_file import PrivateFile

Visibility = Literal["private", "public"]


@dataclass(frozen=True)
class Item:
    """A file to upload and how; ``size`` and ``mtime_ns`` tell whether it is still the same."""

    path: str
    size: int
    mtime_ns: int
    visibility: Visibility
    content_type: str | None
    folder: str
    message_id: str = ""
    is_resumed: bool = False

    @classmethod
    def of(cls, path: Path, folder: str, visibility: Visibility, content_type: str | None) -> Item:
        """Raises ``OSError`` when there is no such file."""
        found = path.stat()
        absolute = str(path.absolute())
        return cls(absolute, found.st_size, found.st_mtime_ns, visibility, content_type, folder)

    @property
    def is_unchanged(self) -> bool:
        """Whether the file is there as it was."""
        try:
            found = Path(self.path).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True)
class Journal:
    """The entries of one issuer and one gateway URL in the file at ``path``."""

    path: Path
    issuer: str
    url: str

    def identify(self, items: Iterable[Item], *, restart: bool = False) -> list[Item]:
        """*items*, each with the messageId of its unfinished upload, or else with a new one.

        With *restart* all are new, and what was unfinished of the same files is forgotten.
        An entry goes to one item only: a file that is named twice is uploaded twice.
        """
        known: dict[Item, list[Item]] = {}
        for entry in self.entries():
            known.setdefault(_key(entry), []).append(entry)
        identified = []
        for item in items:
            matching = known.get(item, [])
            if restart:
                for entry in matching:
                    self.remove(entry.message_id)
            resumed = None if restart or not matching else matching.pop()
            identified.append(resumed or replace(item, message_id=uuid.uuid4().hex))
        return identified

    def entries(self) -> list[Item]:
        """What was begun and not removed, oldest first."""
        mine = self._file.read().get(self._section, {})
        return [
            Item(**entry, message_id=message_id, is_resumed=True)
            for message_id, entry in mine.items()
        ]

    def add(self, item: Item) -> None:
        """Keep *item* until it is removed, in the place of older versions of the same file."""
        entry = {k: v for k, v in asdict(item).items() if k not in ("message_id", "is_resumed")}
        with self._changed() as mine:
            for message_id, other in list(mine.items()):
                if _is_older(other, entry):
                    del mine[message_id]
            mine[item.message_id] = entry

    def remove(self, message_id: str) -> None:
        """Nothing is left to do for it; an unknown one changes nothing."""
        with self._changed() as mine:
            mine.pop(message_id, None)

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        with self._file.lock():
            entries = self._file.read()
            mine = entries.setdefault(self._section, {})
            yield mine
            if not mine:
                del entries[self._section]
            self._file.write(entries)

    @property
    def _section(self) -> str:
        return f"{self.issuer} {self.url}"

    @property
    def _file(self) -> PrivateFile:
        return PrivateFile(self.path)


def _is_older(other: dict[str, Any], entry: dict[str, Any]) -> bool:
    """Whether it is about the same file when that had another content."""
    version = ("size", "mtime_ns")
    is_same = all(other[k] == entry[k] for k in entry if k not in version)
    return is_same and any(other[k] != entry[k] for k in version)


def _key(item: Item) -> Item:
    return replace(item, message_id="", is_resumed=False)
