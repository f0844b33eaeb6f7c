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
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,](\d{3})")
KNOWN = {"time", "level", "service", "message"}


def show(directory: Path, services: tuple[str, ...], follow: bool, lines: int, wanted: str) -> None:
    """Print the last *lines* that hold *wanted*; with *follow*, go on until interrupted."""
    paths = sorted(
        path for path in directory.glob("*.log") if not services or path.stem in services
    )
    colours = {path.stem: COLOURS[number % len(COLOURS)] for number, path in enumerate(paths)}
    console = Console(highlight=False, soft_wrap=True)
    ends: dict[Path, int] = dict.fromkeys(paths, 0)
    rows = sorted(row for path in paths for row in _new_rows(path, ends) if wanted in row[2])
    try:
        while True:
            for at, name, line in rows[-lines:]:
                console.print(_pretty(at, name, line, colours[name]))
            if not follow:
                return
            time.sleep(0.2)
            rows = sorted(
                row for path in paths for row in _new_rows(path, ends) if wanted in row[2]
            )
    except KeyboardInterrupt:
        return


def _new_rows(path: Path, ends: dict[Path, int]) -> Iterator[tuple[str, str, str]]:
    """Complete lines since the last call; a line without a time belongs to the one before."""
    with path.open("rb") as file:
        file.seek(ends[path])
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    ends[path] += len(whole)
    at = ""
    for line in whole.decode("utf-8", "replace").splitlines():
        if match := _TIME.search(line[:120]):
            at = f"{match[1]}T{match[2]}.{match[3]}"
        if line.strip():
            yield at or datetime.now(UTC).isoformat()[:23], path.stem, line


def _pretty(at: str, name: str, line: str, colour: str) -> Text:
    text = Text()
    text.append(f"{at[11:]} ", "dim")
    text.append(f"{name:<15} ", colour)
    try:
        data = json.loads(line)
        level, message = data["level"], data["message"]
    except (ValueError, KeyError, TypeError):
        return text.append(line)
    style = {"ERROR": "red", "WARNING": "yellow"}.get(level, "")
    text.append(f"{message} ", style)
    rest = {key: value for key, value in data.items() if key not in KNOWN}
    return text.append(" ".join(f"{key}={value}" for key, value in rest.items()), "dim")
