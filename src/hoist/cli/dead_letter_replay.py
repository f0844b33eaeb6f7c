"""hoist admin dlq replay: dead letters back on the topic that they come from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import click

from hoist import wiring
from hoist.cli.dead_letters import as_json_option, at_the_desk, filters, me, wanted
from hoist.cli.output import print_json, printable, say
from hoist.cli.problems import Failure
from hoist.pipeline.decision_book import DecisionBook
from hoist.pipeline.letter_views import outcome_view
from hoist.pipeline.letters import STATES, Letter, Wanted
from hoist.pipeline.replay import REPLAYS_MAX, Outcome, ReplayOrder


def _rate(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("give a number from 0.1 to 10000")
    return value


@click.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@filters
@click.option("--all", "is_all", is_flag=True, help="Every open letter.")
@click.option("--from-offset", type=click.IntRange(0), metavar="N", help="With one --group.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 10_000),
    callback=_rate,
    metavar="N",
    help="At most N a second.",
)
@click.option(
    "--max-replays",
    type=click.IntRange(0),
    default=REPLAYS_MAX,
    show_default=True,
    help="Refuse what was replayed so often and failed again.",
)
@click.option("--force", is_flag=True, help="Refuse nothing: neither those, nor unreadable ones.")
@click.option("--again", is_flag=True, help="Also what was replayed before; by ID, also dropped.")
@as_json_option
def replay(
    letter_ids: tuple[str, ...],
    is_all: bool,
    from_offset: int | None,
    dry_run: bool,
    rate: float | None,
    max_replays: int,
    force: bool,
    again: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Send dead letters on their way again: those named, or all that the filters mean.

    A letter goes to the topic that it comes from, with its own bytes (or the edited ones), key and
    headers. What was replayed or dropped before is left alone, so a second run adds nothing, and
    one after an interruption goes on where that one stopped. Exit code 1 when any is refused, but
    not in a dry run.
    """
    is_filtered = any(chosen.values()) or from_offset is not None
    if bool(letter_ids) + is_filtered + is_all != 1:
        raise click.UsageError("name letters, or use filters, or --all: one of the three")
    if from_offset is not None and len(chosen["groups"]) != 1:
        raise click.UsageError("--from-offset needs exactly one --group")
    states = STATES["open"] | (STATES["replayed"] if again else frozenset())
    which = wanted(**chosen, states=states, from_offset=from_offset or 0)
    order = ReplayOrder(me(), dry_run, rate, max_replays, force, again)
    outcomes: list[Outcome] = []
    with told(outcomes, as_json=as_json), at_the_desk() as services:
        book = services.dead_letters.book()
        # Closed here also when we are interrupted: it gives back what it has claimed, and a
        # consumer that is only closed as Python ends waits for a thread that is gone.
        with (
            closing(_letters(services, letter_ids, which, book)) as letters,
            closing(services.replay(letters, order, book)) as run,
        ):
            for outcome in run:
                outcomes.append(outcome)
                if not as_json:
                    click.echo(_line(outcome))
    _sum_up(Counter(outcome.result for outcome in outcomes), dry_run)


@contextmanager
def told(outcomes: Sequence[Outcome], *, as_json: bool) -> Iterator[None]:
    """As JSON, also what was done before something went wrong."""
    try:
        yield
    finally:
        if as_json:
            print_json({"outcomes": [outcome_view(outcome) for outcome in outcomes]})


def _letters(
    services: wiring.Services, letter_ids: tuple[str, ...], which: Wanted, book: DecisionBook
) -> Generator[Letter]:
    desk = services.dead_letters
    if not letter_ids:
        yield from desk.matching(which, book)
    for letter_id in dict.fromkeys(letter_ids):
        yield desk.get(letter_id, book)


def _line(outcome: Outcome) -> str:
    to = outcome.to
    detail = f"{to.topic} {to.partition} {to.offset}" if to else outcome.reason
    words = outcome.result.replace("_", " ")
    return "\t".join(map(printable, (outcome.letter.id, words, detail))).rstrip()


def _sum_up(counts: Counter[str], dry_run: bool) -> None:
    if dry_run:
        say(f"{counts['would_replay']} would be replayed, {counts['refused']} refused.")
        return
    say(f"{counts['replayed']} replayed.")
    if counts["decided"]:
        say(f"{counts['decided']} left alone.")
    if counts["refused"]:
        raise Failure(f"{counts['refused']} refused: edit or drop them, or use --force")
