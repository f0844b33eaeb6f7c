"""One download, from whatever is there already to a file that is complete and right."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hoist.client.partial import Partial, partial_of
from hoist.client.problems import HoistProblem, Retry, Stopped
from hoist.client.storage import Storage
from hoist.client.views import File, OnProgress


@dataclass(frozen=True)
class Wanted:
    """What is to arrive, as far as it is known before."""

    file_id: str
    name: str
    size: int | None = None
    etag: str | None = None
    checksum_sha256: str | None = None

    @classmethod
    def of(cls, file: File) -> Wanted:
        etag, checksum = file.get("etag"), file.get("checksumSha256")
        return cls(file["fileId"], file["name"], file["size"], etag, checksum)

    @property
    def mark(self) -> str:
        """The same for the same version of the same file, and safe in a file name."""
        return hashlib.sha256(f"{self.file_id}\n{self.etag}".encode()).hexdigest()[:16]

    def is_all_of(self, partial: Partial) -> bool:
        size_is_right = self.size in (None, partial.size)
        return size_is_right and self.checksum_sha256 in (None, partial.checksum_sha256)


@dataclass(frozen=True)
class Fetch:
    """Downloads with resume."""

    storage: Storage
    retry: Retry
    is_stopped: Callable[[], bool]

    def run(
        self, wanted: Wanted, target: Path, fresh_url: Callable[[], str], on_progress: OnProgress
    ) -> None:
        """*target* appears, or is replaced, only when all is there and right.

        *fresh_url* is asked before each attempt: URLs end. Raises ``content_differs`` when what
        arrives, from the start, is not what was *wanted*; what is interrupted is resumed by the
        next run for the same *wanted* and *target*, if that says an ETag or a SHA-256.
        """
        target = target.resolve()  # a link stays, and leads to what arrives
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(target))
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "it is no regular file, and would be replaced", str(target))
        with partial_of(target, wanted.mark, wanted.etag) as partial:
            if not (wanted.etag or wanted.checksum_sha256):
                # Nothing would tell whether the rest is of the same version: each run begins anew.
                partial.restart()
                partial.is_lasting = False
            for _ in range(2):  # what was there before may be to blame, or one bad transfer
                self._fill(wanted, partial, fresh_url, on_progress)
                if wanted.is_all_of(partial):
                    partial.finish(target)
                    return
                partial.restart()
            raise _differs(wanted)

    def _fill(
        self,
        wanted: Wanted,
        partial: Partial,
        fresh_url: Callable[[], str],
        on_progress: OnProgress,
    ) -> None:
        """Asks again as long as there is progress, however often the connection breaks."""

        def heard(bytes_done: int) -> None:
            if self.is_stopped():
                raise Stopped
            on_progress(bytes_done)

        def once() -> None:
            heard(partial.size)
            if partial.size != wanted.size:
                self.storage.get(fresh_url(), partial, heard)

        furthest, patience = partial.size, self.retry.patience()
        while True:
            try:
                return self.retry.run(once, patience)
            except HoistProblem as problem:
                is_new = partial.size > furthest and bool(self.retry.pauses)
                if not problem.retriable or not is_new:
                    raise
                furthest = partial.size


def _differs(wanted: Wanted) -> HoistProblem:
    detail = f"what arrived is not {wanted.name}: the size or the SHA-256 differs"
    return HoistProblem("content_differs", 502, detail, {"retriable": True})
