"""Many files into one folder: several at once, each under a safe name, none twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hoist.client.crew import in_parallel
from hoist.client.folder import Folder, folder_at
from hoist.client.problems import HoistProblem
from hoist.client.views import File, OnProgress


@dataclass(frozen=True)
class Downloaded:
    """What became of one file of many: it is at ``path``, unless there is a ``problem``.

    ``was_there`` tells that an earlier run had brought it.
    """

    file: File
    path: Path
    was_there: bool = False
    problem: HoistProblem | OSError | None = None


@dataclass(frozen=True)
class DownloadAll:
    """``fetch`` brings one file to a path; ``stop`` makes those under way give up."""

    fetch: Callable[[File, Path, OnProgress], None]
    stop: Callable[[], None]
    progress_of: Callable[[File], OnProgress]

    def run(self, files: Iterable[File], into: Path, at_once: int) -> list[Downloaded]:
        """What became of each file, oldest first. One that fails does not stop the others."""
        with folder_at(into) as folder:
            # The oldest chooses its name first, so that without an index the names are the same.
            in_order = {file["fileId"]: file for file in sorted(files, key=_age)}.values()
            placed = [(file, folder.place(file)) for file in in_order]
            folder.save()

            def one(item: tuple[File, Path]) -> Downloaded:
                return self._one(folder, *item)

            return in_parallel(one, placed, at_once, self.stop)

    def _one(self, folder: Folder, file: File, path: Path) -> Downloaded:
        try:
            if folder.has(file):
                return Downloaded(file, path, was_there=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.fetch(file, path, self.progress_of(file))
            folder.arrived(file)
        except HoistProblem as problem:
            if problem.status == 401:
                raise  # so would every other one
            return Downloaded(file, path, problem=problem)
        except OSError as problem:
            return Downloaded(file, path, problem=problem)
        return Downloaded(file, path)


def _age(file: File) -> tuple[str, str]:
    return file["createdAt"], file["fileId"]
