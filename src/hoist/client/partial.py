"""The bytes of a download that have come so far, in a hidden file beside its target.

They outlive a broken connection and a killed process: the next download goes on from there.
Nothing stands between us and the file, so that what was counted is what is on disk.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from hoist.client.problems import HoistProblem
from hoist.client.source import CHUNK_BYTES
from hoist.domain.safe_names import cut

NAME_BYTES_MAX = 200  # of the target's name: the mark and the dots come on top


class Partial:
    """``size`` bytes are there; ``etag`` is the version they are of, when that is known.

    One that is not ``is_lasting`` ends with its download, however that ends.
    """

    def __init__(self, path: Path, file: FileIO, etag: str | None, *, is_lasting: bool) -> None:
        self.path = path
        self.size = 0
        self.etag = etag
        self._file = file
        self._digest = hashlib.sha256()
        self.is_lasting = is_lasting
        while chunk := file.read(CHUNK_BYTES):
            self._count(chunk)

    @property
    def checksum_sha256(self) -> str:
        """Of what is there, base64."""
        return base64.b64encode(self._digest.digest()).decode()

    def append(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._count(chunk)

    def restart(self) -> None:
        """What is there is worth nothing."""
        self._file.seek(0)
        self._file.truncate()
        self.size, self._digest = 0, hashlib.sha256()

    def finish(self, target: Path) -> None:
        """It is complete and right: from here on it is *target*, in one step."""
        self.path.replace(target)

    def leave(self, failure: BaseException) -> None:
        """Keep it when a later download may go on from here."""
        is_final = isinstance(failure, HoistProblem) and not _may_go_on(failure)
        if is_final or not self.size or not self.is_lasting:
            self.path.unlink(missing_ok=True)

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)


@contextmanager
def partial_of(target: Path, mark: str, etag: str | None) -> Iterator[Partial]:
    """The partial of *target* that *mark* names, with what earlier downloads left there.

    One download at a time has it. Another one of the same target gets a temporary, which
    does not last: each brings the whole file, and neither waits. A block that ends with a failure
    leaves the partial when it is of use.
    """
    name = cut(target.name, NAME_BYTES_MAX)
    path = target.with_name(f".{name}.{mark}.part")
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(target.parent))
    file = _locked(path)
    is_lasting = file is not None
    if file is None:
        path = target.with_name(f".{name}.{secrets.token_hex(8)}.part")
        file = FileIO(path, "x+")
    try:
        partial = Partial(path, file, etag, is_lasting=is_lasting)
        try:
            yield partial
        except BaseException as failure:  # an interrupt, too, leaves something to go on with
            partial.leave(failure)
            raise
    finally:
        file.close()


def _locked(path: Path) -> FileIO | None:
    """The file at *path*, ours alone until it is closed; None when it cannot be that."""
    while True:
        try:
            file = FileIO(path, "r+", opener=_open)
        except OSError:
            return None  # a link, or somebody else's: not a place for our bytes
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "not ours", str(path))
        except OSError:
            file.close()
            return None
        # Whoever had it before may have made it the target, or removed it, since we opened it.
        if found.st_nlink == 1 and _is_at(found, path):
            return file
        file.close()
        if found.st_nlink > 1:
            return None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o666)


def _is_at(found: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(found, path.lstat())
    except FileNotFoundError:
        return False


def _may_go_on(problem: HoistProblem) -> bool:
    return problem.retriable or problem.code == "stopped" or problem.status == 401
