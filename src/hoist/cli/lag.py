"""hoist admin lag: how far the consumer groups are behind."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click
from rich.console import Group
from rich.live import Live

from hoist import wiring
from hoist.cli.output import print_json, print_rows, say, table_of
from hoist.cli.problems import UNREACHABLE, Failure
from hoist.domain.errors import Unavailable
from hoist.domain.lag import Lag, PartitionLag

BETWEEN_SECONDS = 1.0
HEADINGS = ("GROUP", "TOPIC", "PARTITION", "END", "COMMITTED", "LAG", "OLDEST", "A SECOND", "DRAIN")
DEAD_HEADINGS = ("GROUP", "DEAD LETTERS")
UNKNOWN = "-"


@click.command()
@click.option("--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each look as JSON, with every topic.")
def lag(watch: bool, as_json: bool) -> None:
    """Show how far each consumer group is behind, how fast it goes, and its dead letters.

    A retry topic is shown while something is in it that is not done: there, records wait for their
    time. OLDEST is the age of the oldest record that is not committed, DRAIN how long what waits
    takes at the speed of the last 30 s. In a pipe: the partitions, an empty line, the dead
    letters; cells are separated by tabs.
    """
    services = wiring.services()
    try:
        looks = _looks(services)
        if not watch:
            _print(next(looks), as_json)
        elif as_json:
            for look in looks:
                click.echo(json.dumps(as_data(look)))
        elif sys.stdout.isatty():
            _live(looks)
        else:
            for look in looks:
                _print(look, as_json)
                click.echo()
    except Unavailable as error:
        raise Failure(str(error), UNREACHABLE) from error
    except KeyboardInterrupt:
        return
    finally:
        services.close()


def _looks(services: wiring.Services) -> Iterator[Lag]:
    """One a second. The first one is not shown: without another there is no speed.

    Raises ``Unavailable`` before any was shown; later it says so and looks again.
    """
    services.measure_lag()
    is_shown = False
    while True:
        time.sleep(BETWEEN_SECONDS)
        try:
            look = services.measure_lag()
        except Unavailable as error:
            if not is_shown:
                raise
            say(f"{error}; looking again")
        else:
            yield look
            is_shown = True


def _print(look: Lag, as_json: bool) -> None:
    if as_json:
        print_json(as_data(look))
        return
    print_rows(HEADINGS, partition_rows(look))
    click.echo()
    print_rows(DEAD_HEADINGS, list(look.dead_letters.items()))


def _live(looks: Iterator[Lag]) -> None:
    with Live(screen=False, auto_refresh=False) as live:
        for look in looks:
            tables = (
                table_of(HEADINGS, partition_rows(look)),
                table_of(DEAD_HEADINGS, list(look.dead_letters.items())),
            )
            live.update(Group(tables[0], "", tables[1]), refresh=True)


def partition_rows(look: Lag) -> list[tuple[object, ...]]:
    return [_row(one) for one in look.partitions if one.lag or not one.group.endswith(".retry")]


def _row(one: PartitionLag) -> tuple[object, ...]:
    speed, drain = one.records_per_second, one.drain_seconds
    return (
        one.group,
        one.topic,
        one.partition,
        one.end,
        UNKNOWN if one.committed is None else one.committed,
        one.lag,
        f"{one.oldest_seconds:.0f} s" if one.lag else UNKNOWN,
        UNKNOWN if speed is None else f"{speed:.1f}",
        UNKNOWN if drain is None else f"{drain:.0f} s",
    )


def as_data(look: Lag) -> dict[str, Any]:
    """*look* for programs, named as everywhere in our JSON."""
    return {
        "partitions": [
            {_camel(name): value for name, value in asdict(one).items()} for one in look.partitions
        ],
        "deadLetters": dict(look.dead_letters),
    }


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
