"""The bytes to upload: measured once, read again for every attempt."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from hoist.client.problems import HoistProblem
from hoist.client.views import OnProgress

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Source:
    """A path, or a seekable file object; threads may read different ranges at once."""

    content: Path | BinaryIO
    name: str
    content_type: str
    size: int
    checksum_sha256: str
    mtime_ns: int | None = None
    _lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    def read(
        self, on_progress: OnProgress, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Exactly *length* bytes from *start* on. Raises ``HoistProblem`` when they are not there.

        *on_progress* hears of a chunk when the next one is asked for: it was sent by then.
        """
        length = self.size - start if length is None else length
        done = 0
        with self._reader() as read_at:
            while done < length:
                chunk = read_at(start + done, min(CHUNK_BYTES, length - done))
                if not chunk:
                    raise self._changed("became shorter")
                yield chunk
                done += len(chunk)
                on_progress(done)

    def checksum(self, start: int, length: int) -> str:
        """The SHA-256 of a range, base64."""
        digest = hashlib.sha256()
        for chunk in self.read(_unseen, start, length):
            digest.update(chunk)
        return base64.b64encode(digest.digest()).decode()

    def check_unchanged(self) -> None:
        """Raises ``HoistProblem`` when the file was written to since it was measured."""
        if isinstance(self.content, Path):
            now = self.content.stat()
            if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
                raise self._changed("changed")

    def _changed(self, what: str) -> HoistProblem:
        detail = f"{self.name} {what} while it was uploaded"
        return HoistProblem("file_changed", 409, detail)

    @contextmanager
    def _reader(self) -> Iterator[Callable[[int, int], bytes]]:
        if isinstance(self.content, Path):
            with self.content.open("rb") as file:
                yield lambda start, length: _read_at(file, start, length)
        else:
            yield self._read_shared

    def _read_shared(self, start: int, length: int) -> bytes:
        assert not isinstance(self.content, Path)
        with self._lock:  # the position is one for all threads
            return _read_at(self.content, start, length)


def _read_at(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _unseen(bytes_done: int) -> None:
    pass


def measure(
    content: str | os.PathLike[str] | BinaryIO, name: str | None, content_type: str | None
) -> Source:
    """*content* with its size, its SHA-256, and a type guessed from the name unless one is given.

    Raises ``OSError`` when it cannot be read, ``ValueError`` when nothing tells its name.
    """
    if isinstance(content, str | os.PathLike):
        content = Path(content)
        name = name or content.name
    if not name:
        raise ValueError("a file object needs a name")
    digest, size, mtime_ns = hashlib.sha256(), 0, None
    with opened(content) as file:
        if isinstance(content, Path):
            mtime_ns = os.fstat(file.fileno()).st_mtime_ns
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    content_type = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    checksum = base64.b64encode(digest.digest()).decode()
    return Source(content, name, content_type, size, checksum, mtime_ns)


@contextmanager
def opened(content: Path | BinaryIO) -> Iterator[BinaryIO]:
    """A reader at the start; a file object stays open afterwards, as it came."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            yield file
    else:
        content.seek(0)
        yield content
