"""What the processes of the stack say about one trace, read from their JSON log lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Hop:
    """Something that happened, in seconds since the epoch."""

    at: float
    service: str
    sentence: str


def worker_hops(
    logs: Path,
    trace_id: str,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    wait_seconds: float = WAIT_SECONDS,
) -> tuple[list[Hop], list[str]]:
    """The hops of *trace_id*, and the names of those that did not show up in time.

    Processes write when they please, so this looks again until the last hop is there.
    """
    ends_at = clock() + wait_seconds
    while True:
        lines = list(lines_of(logs, trace_id))
        missing = [name for name in SENTENCES if name not in map(name_of, lines)]
        if not missing or clock() >= ends_at:
            hops = [hop_of(line) for line in lines if name_of(line) in SENTENCES]
            return hops, missing
        sleep(LOOK_SECONDS)


def lines_of(logs: Path, trace_id: str) -> Iterator[dict[str, Any]]:
    """Every log line of the trace; lines that are not JSON are no business of ours."""
    for path in sorted(logs.glob("*.log")):
        for text in path.read_text(errors="replace").splitlines():
            if trace_id not in text:
                continue
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("traceId") == trace_id and "time" in line:
                yield line


def name_of(line: dict[str, Any]) -> str:
    """The message, and for a row its status as well: a row is written twice."""
    message = str(line.get("message"))
    return f"{message}: {line.get('status')}" if message == "row written" else message


def hop_of(line: dict[str, Any]) -> Hop:
    at = datetime.fromisoformat(line["time"]).timestamp()
    return Hop(at, str(line.get("service", "")), SENTENCES[name_of(line)](line))


def _row(line: dict[str, Any]) -> str:
    return f"row stored: status {line.get('status')}, version {line.get('version')}"


SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "request accepted": lambda line: "request acked by the broker",
    "url granted": lambda line: (
        f"URL signed for {line.get('topic')}/{line.get('partition')}/{line.get('offset')}"
    ),
    "row written: pending": _row,
    "object arrived": lambda line: (
        f"S3 event received: {line.get('key')}, {line.get('size')} bytes"
    ),
    "row written: stored": _row,
    "cache invalidated": lambda line: f"cache invalidated for {line.get('userId')}",
}
