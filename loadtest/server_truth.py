"""What the servers say of themselves while the load runs; the start page shows it in a tab."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import gevent
from flask import Response, request
from locust.web import WebUI

from loadtest import report
from loadtest.people import User

KEY = "server-truth"
COLUMNS = {"name": "What", "value": "Now", "peak": "Highest"}  # the page sorts by ``name``
ENDS_SECONDS_MAX = 10


class ServerTruth:
    """Reads a ``loadtest.watch`` of its own, until ``close``; it counts the leases of *people*."""

    def __init__(self, people: Callable[[], Iterable[User]]) -> None:
        self._people = people
        self.rows: dict[tuple[str, str], str | float] = {}
        self.peaks: dict[tuple[str, str], float] = {}
        self._firsts: dict[tuple[str, str], float] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtest.watch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._told: set[str] = set()
        self._reading = gevent.spawn(self._read)

    def close(self) -> None:
        """End it: it ends by itself when nobody speaks to it any more."""
        assert self._process.stdin
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(ENDS_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reading.join(ENDS_SECONDS_MAX)
        assert self._process.stdout
        self._process.stdout.close()

    def forget_peaks(self) -> None:
        self.peaks.clear()
        self._firsts = {place: n for place, n in self.rows.items() if not isinstance(n, str)}

    def new_dead_letters(self) -> list[str]:
        """A sentence for each group that has more of them than when the peaks were forgotten."""
        return report.dead_letters(self._firsts, self.peaks)

    def table(self) -> list[dict[str, Any]]:
        """A row for each number, as the tab shows it."""
        return [
            {"name": f"{kind}: {name}", "value": value, "peak": self.peaks.get((kind, name), "")}
            for (kind, name), value in self.rows.items()
        ]

    def report(self) -> dict[str, Any]:
        """The highest of each number since the peaks were forgotten."""
        told: dict[str, Any] = {}
        for (kind, name), peak in self.peaks.items():
            told.setdefault(kind, {})[name] = peak
        return told

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.enter(json.loads(line))
            self._tell_people()

    def _tell_people(self) -> None:
        new = [one.user_id for one in list(self._people()) if one.user_id not in self._told]
        self._told.update(new)
        assert self._process.stdin
        with suppress(OSError, ValueError):  # it is being closed
            self._process.stdin.write("".join(f"{user_id}\n" for user_id in new))
            self._process.stdin.flush()

    def enter(self, told: dict[str, Any]) -> None:
        """One look of ``loadtest.watch``."""
        self.rows = dict(_rows(told))
        for place, value in self.rows.items():
            if not isinstance(value, str):
                self._firsts.setdefault(place, value)
                self.peaks[place] = max(value, self.peaks.get(place, 0))


# Locust sorts the page's table by its first column: what tells the most comes first.
def _rows(told: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str | float]]:
    for group, lag in told.get("lag", {}).items():
        yield ("behind", group), lag
    for group, count in told.get("deadLetters", {}).items():
        yield (report.DEAD_LETTERS, group), count
    for whose, count in told["leases"].items():
        yield ("leases", whose), count
    for gateway, count in told["sockets"].items():
        yield ("gateway sockets", gateway), "away" if count is None else count
    for one in told["processes"]:
        is_up = one["state"] == "ready" and one["rssMib"] is not None
        yield ("memory in MiB", one["name"]), one["rssMib"] if is_up else one["state"]


def show(web_ui: WebUI, truth: ServerTruth) -> None:
    """Give the page its tab: Locust draws the table, and fetches it with its own statistics."""
    web_ui.template_args |= {
        "extended_tabs": [{"title": "Server truth", "key": KEY}],
        "extended_tables": [
            {
                "key": KEY,
                "structure": [{"key": key, "title": title} for key, title in COLUMNS.items()],
            }
        ],
    }

    def add(response: Response) -> Response:
        if request.path.endswith("/stats/requests") and response.is_json:
            told = dict(response.get_json())
            told["extended_stats"] = [{"key": KEY, "data": truth.table()}]
            response.set_data(json.dumps(told))
        return response

    assert web_ui.app
    web_ui.app.after_request(add)
