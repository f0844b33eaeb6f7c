"""Ends the process at a point that was armed, as ``kill -9`` would: nothing is finished or told.

What is armed are lines ``before:NAME:COUNT`` or ``after:NAME:COUNT``: in a file that may appear at
any time and is removed before the end, so that what is started again lives; and in CRASH_AT, for
a process that nobody starts again. Counting begins when the file appears.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sized
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from emulation.faults.points import EFFECTS, Effect, check

EXIT_CODE = 128 + signal.SIGKILL


def read(lines: str) -> dict[str, int]:
    """Raises ``ValueError`` for what is no point."""
    armed = {}
    for line in lines.split():
        point, _, count = line.rpartition(":")
        if not count.isdecimal():
            raise ValueError(f"{line!r} is not POINT:COUNT")
        check(point, int(count))
        armed[point] = int(count)
    return armed


class Crash:
    """What is armed in this process and its forks. Safe for many threads."""

    def __init__(self, file: Path | None, at_start: str = "") -> None:
        self._file = file
        self._left = read(at_start)
        self._seen: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._first = os.getpid()

    def reached(self, points: Iterable[str]) -> None:
        with self._lock:
            self._look()
            for point in points:
                if point in self._left:
                    self._left[point] -= 1
                    if self._left[point] == 0:
                        self._end(point)

    def _look(self) -> None:
        """Begin to count anew when the file is another one; forget it when it is gone."""
        if self._file is None:
            return
        try:
            stat = self._file.stat()
            seen = (stat.st_ino, stat.st_mtime_ns)
            if seen != self._seen:
                self._left = read(self._file.read_text())
                self._seen = seen
        except FileNotFoundError:
            if self._seen:
                self._left, self._seen = {}, None

    def _end(self, point: str) -> None:
        if self._file:
            self._file.unlink(missing_ok=True)
            with fired(self._file).open("a") as file:
                file.write(f"{point}\n")
        # A server that would only start its worker again goes first.
        if os.getpid() != self._first:
            with suppress(ProcessLookupError):
                os.kill(self._first, signal.SIGKILL)
        os._exit(EXIT_CODE)


def fired(file: Path) -> Path:
    """Where it is written down which points of *file* were reached."""
    return file.with_name(f"{file.name}.fired")


class Finder(MetaPathFinder):
    """Wraps effects as their modules are imported: nothing is imported for it, nothing too early.

    The gateway patches the standard library before it imports anything else.
    """

    def __init__(self, crash: Crash) -> None:
        self._crash = crash

    def find_spec(
        self, name: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        effects = [effect for effect in EFFECTS if effect.module == name]
        spec = PathFinder.find_spec(name, path) if effects else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for effect in effects:
                wrap(module, effect, self._crash)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def wrap(module: ModuleType, effect: Effect, crash: Crash) -> None:
    *owners, name = effect.path.split(".")
    owner = functools.reduce(getattr, owners, module)
    argument = 1 if owners else 2  # behind self; the function's messages come third
    setattr(owner, name, wrapped(getattr(owner, name), effect, argument, crash))


def wrapped(call: Callable[..., Any], effect: Effect, number: int, crash: Crash) -> Any:
    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        argument = args[number] if len(args) > number else None
        if isinstance(argument, Sized) and not argument:
            return call(*args, **kwargs)
        names = effect.named(argument)
        crash.reached(f"before:{name}" for name in names)
        result = call(*args, **kwargs)
        crash.reached(f"after:{name}" for name in names)
        return result

    return run
