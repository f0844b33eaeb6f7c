"""One stream of every service's log, in the order of time, each service in its colour."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")
KNOWN = {"time", "level", "service", "message"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,](\d{3})")
_REDIS_TIME = re.compile(r"\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}")

Row = tuple[str, str, str]  # time, service, line


class Tail:
    """What is new in some log files since the last look."""

    def __init__(self, directory: Path, services: tuple[str, ...]) -> None:
        self._directory, self._services = directory, services
        self._ends: dict[Path, int] = {}
        self._times: dict[Path, str] = {}

    def new_rows(self) -> list[Row]:
        """Complete lines, in the order of time; those of one moment stay as they were written."""
        paths = sorted(self._directory.glob("*.log"))
        chosen = [path for path in paths if not self._services or path.stem in self._services]
        rows = [row for path in chosen for row in self._rows(path)]
        return sorted(rows, key=lambda row: row[0])

    def _rows(self, path: Path) -> Iterator[Row]:
        """A line without a time has that of the line before, the first ones that of the next."""
        lines, written_at = self._lines(path)
        times = [time_of(line) for line in lines]
        at = self._times.get(path) or next(filter(None, times), written_at)
        for line, found in zip(lines, times, strict=True):
            at = found or at
            if line.strip():
                yield at, path.stem, line
        if any(times):
            self._times[path] = at

    def _lines(self, path: Path) -> tuple[list[str], str]:
        end = self._ends.get(path, 0)
        try:
            with path.open("rb") as file:
                # A new start begins the file anew.
                file.seek(end if end <= path.stat().st_size else 0)
                began = file.tell()
                data = file.read()
            written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return [], ""
        whole = data[: data.rfind(b"\n") + 1]
        self._ends[path] = began + len(whole)
        return whole.decode("utf-8", "replace").splitlines(), written_at.isoformat()[:23]


def show(directory: Path, services: tuple[str, ...], follow: bool, lines: int, wanted: str) -> None:
    """Print the last *lines* that hold *wanted*; with *follow*, go on until interrupted."""
    tail, console = Tail(directory, services), Console(highlight=False, soft_wrap=True)
    rows = [row for row in tail.new_rows() if wanted in row[2]]
    rows = rows[max(0, len(rows) - lines) :]
    try:
        while True:
            for row in rows:
                console.print(_pretty(*row))
            if not follow:
                return
            time.sleep(0.2)
            rows = [row for row in tail.new_rows() if wanted in row[2]]
    except KeyboardInterrupt:
        return


def time_of(line: str) -> str:
    """When *line* says it was written, as ``2026-01-01T00:00:00.000``; "" when it does not say."""
    if match := _TIME.search(line[:120]):
        return f"{match[1]}T{match[2]}.{match[3]}"
    if match := _REDIS_TIME.search(line[:60]):
        return datetime.strptime(match[0], "%d %b %Y %H:%M:%S.%f").isoformat(
            timespec="milliseconds"
        )
    return ""


def _pretty(at: str, name: str, line: str) -> Text:
    text = Text()
    text.append(f"{at[11:]} ", "dim")
    text.append(f"{name:<15} ", COLOURS[sum(name.encode()) % len(COLOURS)])
    try:
        data = json.loads(line)
        level, message = data["level"], data["message"]
    except (ValueError, KeyError, TypeError):
        return text.append(line)
    style = {"ERROR": "red", "WARNING": "yellow"}.get(level, "")
    text.append(f"{level} {message} " if style else f"{message} ", style)
    rest = {key: value for key, value in data.items() if key not in KNOWN}
    return text.append(" ".join(f"{key}={value}" for key, value in rest.items()), "dim")
