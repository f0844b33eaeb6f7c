"""What people and programs read: tables on a terminal, tab separated lines in a pipe, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hoist.client import File

WIDTH = 10_000  # no terminal's: it breaks long lines itself


def say(line: str) -> None:
    """Tell the person, not the program: stderr."""
    click.echo(line, err=True)


def print_json(data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """One ``name: value`` line each."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        click.echo(f"{name + ':':<{width + 1}} {printable(str(value))}")


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on a terminal; in a pipe one line per row, its cells separated by tabs.

    Cells stay whole, however narrow the terminal: ids and addresses are there to be copied.
    """
    if sys.stdout.isatty():
        console = Console(width=WIDTH)
        with console.capture() as drawn:
            console.print(table_of(headings, rows))
        for line in drawn.get().splitlines():
            click.echo(line.rstrip())
        return
    for row in rows:
        click.echo("\t".join(printable(str(cell)) for cell in row))


def table_of(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """*rows* under *headings*, as the terminal shows them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    return table


def printable(text: str) -> str:
    """*text* without what moves cursors or fakes lines: names are chosen by whoever uploads."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def size_words(size: int) -> str:
    """``5 GiB``, ``61.4 MiB``: binary units, since the limits of the tiers are round in them."""
    amount, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.1f}".removesuffix(".0") + f" {units[0]}"


def shown_path(file: File | Mapping[str, Any]) -> str:
    """A file's name, after its folder when it has one."""
    return f"{file['folder']}/{file['name']}" if file.get("folder") else str(file["name"])
