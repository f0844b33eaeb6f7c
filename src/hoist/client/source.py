"""The bytes to upload: measured once, read again for every attempt."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hoist.client.problems import HoistProblem
from hoist.client.views import OnProgress

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Source:
    """A path, or a seekable file object that is read from its start."""

    content: Path | BinaryIO
    name: str
    content_type: str
    size: int
    checksum_sha256: str

    def read(self, on_progress: OnProgress) -> Iterator[bytes]:
        """Exactly ``size`` bytes, from the start. Raises ``HoistProblem`` when they are not there.

        *on_progress* hears of a chunk when the next one is asked for: it was sent by then.
        """
        left = self.size
        with opened(self.content) as file:
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                if not chunk:
                    detail = f"{self.name} became shorter while it was uploaded"
                    raise HoistProblem("file_changed", 409, detail)
                yield chunk
                left -= len(chunk)
                on_progress(self.size - left)


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
    digest, size = hashlib.sha256(), 0
    with opened(content) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    content_type = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    checksum = base64.b64encode(digest.digest()).decode()
    return Source(content, name, content_type, size, checksum)


@contextmanager
def opened(content: Path | BinaryIO) -> Iterator[BinaryIO]:
    """A reader at the start; a file object stays open afterwards, as it came."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            yield file
    else:
        content.seek(0)
        yield content
