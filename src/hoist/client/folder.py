"""A folder that downloads go into: which file is where, kept in a hidden file for the next run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hoist.client.local_paths import INDEX_NAME, local_path, numbered, same_key
from hoist.client.problems import HoistProblem
from hoist.client.source import CHUNK_BYTES
from hoist.client.views import File

SAVE_SECONDS = 1.0  # an index of thousands is not written for each of them

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """Where a file is or goes. ``size`` and ``mtime_ns`` are what it was left with when complete.

    ``wanted`` is the path its name asked for: another one means that it was renamed since.
    """

    path: str
    wanted: str
    etag: str | None = None
    size: int | None = None
    mtime_ns: int | None = None


@contextmanager
def folder_at(root: Path) -> Iterator[Folder]:
    """The folder at *root*, made when it is not there, for one process at a time.

    Raises ``HoistProblem`` with code ``folder_in_use`` when another one has it.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            detail = f"another download into {root} is under way"
            raise HoistProblem("folder_in_use", 409, detail) from error
        folder = Folder(root)
        try:
            yield folder
        finally:
            folder.save()
    finally:
        os.close(descriptor)


class Folder:
    """No two files get the same path, nor one that this folder has for something else."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.root = root
        self._real_root = Path(os.path.realpath(root))
        self._clock = clock
        self._saved_at = clock()
        self._lock = threading.Lock()
        self._entries = _read(root / INDEX_NAME)
        self._files: dict[str, str] = {}
        self._folders: set[str] = set()
        for file_id, entry in self._entries.items():
            self._take(file_id, tuple(entry.path.split("/")))

    def place(self, file: File) -> Path:
        """Where *file* goes: the same place in every run, unless something else is there now."""
        file_id = file["fileId"]
        wanted = local_path(file.get("folder", ""), file["name"], file_id)
        known = self._entries.get(file_id)
        if not known or known.wanted != "/".join(wanted) or not self._is_ours(file, known):
            parts = self._settled(wanted, file)
            known = Entry("/".join(parts), "/".join(wanted))
            self._entries[file_id] = known
            self._take(file_id, parts)
        return self.root / known.path

    def has(self, file: File) -> bool:
        """Whether *file* is at its place, complete; read only when nothing else can tell."""
        entry = self._entries[file["fileId"]]
        path = self.root / entry.path
        if not os.path.lexists(path):
            return False
        if not _is_as_left(path, entry, file):
            if not _is_content(path, file):
                return False
            self.arrived(file)
        return True

    def arrived(self, file: File) -> None:
        """*file* is complete at its place."""
        with self._lock:
            entry = self._entries[file["fileId"]]
            found = (self.root / entry.path).stat()
            self._entries[file["fileId"]] = replace(
                entry, etag=file.get("etag"), size=found.st_size, mtime_ns=found.st_mtime_ns
            )
            if self._clock() - self._saved_at < SAVE_SECONDS:
                return
        self.save()

    def save(self) -> None:
        """Keep for the next run what is where."""
        with self._lock:
            text = json.dumps({"files": {k: asdict(v) for k, v in self._entries.items()}}, indent=1)
            temporary = self.root / f"{INDEX_NAME}.part"
            temporary.unlink(missing_ok=True)
            with temporary.open("x") as file:
                file.write(text)
            temporary.replace(self.root / INDEX_NAME)
            self._saved_at = self._clock()

    def _take(self, file_id: str, parts: Parts) -> None:
        self._files[same_key(parts)] = file_id
        self._folders.update(same_key(parts[:end]) for end in range(1, len(parts)))

    def _settled(self, wanted: Parts, file: File) -> Parts:
        parts: Parts = ()
        for step in wanted[:-1]:
            parts = numbered((*parts, step), self._may_be_folder)
        return numbered((*parts, wanted[-1]), partial(self._may_be_file, file))

    def _may_be_folder(self, parts: Parts) -> bool:
        path = self.root.joinpath(*parts)
        real = Path(os.path.realpath(path))
        if same_key(parts) in self._files or not real.is_relative_to(self._real_root):
            return False  # a link in this folder may lead out of it
        return not os.path.lexists(path) or real.is_dir()

    def _may_be_file(self, file: File, parts: Parts) -> bool:
        key, path = same_key(parts), self.root.joinpath(*parts)
        if key in self._folders or self._files.get(key, file["fileId"]) != file["fileId"]:
            return False
        return not os.path.lexists(path) or _is_content(path, file)

    def _is_ours(self, file: File, entry: Entry) -> bool:
        """Whether *file* may go, or already is, where *entry* says."""
        *folder, _ = parts = entry.path.split("/")
        steps = range(1, len(folder) + 1)
        if not all(self._may_be_folder(tuple(parts[:end])) for end in steps):
            return False
        path = self.root / entry.path
        is_free = not os.path.lexists(path)
        return is_free or _is_as_left(path, entry, file) or _is_content(path, file)


def _is_as_left(path: Path, entry: Entry, file: File) -> bool:
    found = path.lstat()
    return (found.st_size, found.st_mtime_ns) == (entry.size, entry.mtime_ns) and (
        (file["size"], file.get("etag")) == (entry.size, entry.etag)
    )


def _is_content(path: Path, file: File) -> bool:
    """Whether the bytes at *path* are those of *file*; without a SHA-256 nobody can tell."""
    checksum = file.get("checksumSha256")
    if not checksum or path.is_symlink() or not path.is_file():
        return False
    try:
        return path.stat().st_size == file["size"] and _checksum(path) == checksum
    except PermissionError:
        return False  # somebody else's


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
    return b64encode(digest.digest()).decode()


def _read(path: Path) -> dict[str, Entry]:
    """What an earlier run kept; nothing when there is none, or it is not ours."""
    try:
        entries: dict[str, Any] = json.loads(path.read_text())["files"]
        return {
            file_id: Entry(**entry)
            for file_id, entry in entries.items()
            if not {"", ".", ".."} & set(str(entry["path"]).split("/"))
        }
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return {}
