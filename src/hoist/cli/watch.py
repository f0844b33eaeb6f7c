"""hoist watch: what happens to your uploads, wherever they come from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from hoist.cli.bars import bars
from hoist.cli.context import Context, pass_context
from hoist.cli.output import printable, say
from hoist.client import Client, HoistProblem
from hoist.client.views import OnProgress

QUIET_SECONDS = 1.0

Event = Mapping[str, Any]
Show = Callable[[Event], None]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@click.option("--until-idle", is_flag=True, help="End when no upload is unfinished.")
@pass_context
def watch(context: Context, as_json: bool, until_idle: bool) -> None:
    """Follow your uploads, those of other commands and devices too, until Ctrl-C.

    On a terminal: a bar per upload. In a pipe a line per event: time, event, id, phase, bytes
    sent, bytes in all, separated by tabs.
    """
    try:
        with context.client() as client, _shown(client, as_json=as_json) as show:
            said = "Watching; Ctrl-C ends it."
            for event in client.watch(QUIET_SECONDS if until_idle else None):
                if event["event"] == "watch.connected":
                    say(said)
                    said = "The connection was lost; watching again."
                elif event["event"] != "watch.quiet":
                    show(event)
                elif _is_idle(client):
                    return
    except KeyboardInterrupt:
        return


def _is_idle(client: Client) -> bool:
    use = client.me().get("use")
    return use is None or use["concurrentUploads"] == 0


@contextmanager
def _shown(client: Client, *, as_json: bool) -> Iterator[Show]:
    if as_json:
        yield lambda event: click.echo(json.dumps(event, ensure_ascii=False))
    elif not sys.stdout.isatty():
        yield lambda event: click.echo("\t".join(printable(str(cell)) for cell in line_of(event)))
    else:
        with bars(on_stdout=True) as bar_of:
            yield _Bars(client, bar_of)


def line_of(event: Event) -> tuple[object, ...]:
    """Time, event, id, phase, bytes sent, bytes in all; "" for what the event does not tell."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    phase, sent, total = _progress(event)
    return event.get("at", now), event["event"], event.get("fileId", ""), phase, sent, total


def _progress(event: Event) -> tuple[str, object, object]:
    if progress := event.get("progress"):
        return progress["phase"], progress["bytesSent"], progress["bytesTotal"]
    size = (event.get("file") or {}).get("size", "")
    phase = str(event["event"]).removeprefix("upload.")
    return phase, size if phase == "stored" else "", size


class _Bars:
    """A bar per upload, from the first event on that tells its size."""

    def __init__(self, client: Client, bar_of: Callable[[str, int], OnProgress]) -> None:
        self._client = client
        self._bar_of = bar_of
        self._bars: dict[str, OnProgress] = {}

    def __call__(self, event: Event) -> None:
        file_id = event.get("fileId", "")
        phase, sent, total = _progress(event)
        if isinstance(total, int) and isinstance(sent, int):
            if file_id not in self._bars:
                self._bars[file_id] = self._bar_of(self._name(event, file_id), total)
            self._bars[file_id](sent)
        if phase in ("rejected", "expired", "cancelled"):
            say(f"{printable(file_id)}: {phase}")

    def _name(self, event: Event, file_id: str) -> str:
        try:
            file = event.get("file") or self._client.status(file_id).get("file")
        except HoistProblem:
            file = None  # a label only: the id will do
        return str(file["name"]) if file else file_id
