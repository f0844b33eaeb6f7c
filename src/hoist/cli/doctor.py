"""hoist doctor: whether storage, store, cache and committed offsets say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from hoist import wiring
from hoist.cli.mends import unknown_after
from hoist.cli.output import print_json, print_rows, say
from hoist.cli.problems import UNREACHABLE, Failure
from hoist.pipeline.doctor import Report, amount
from hoist.pipeline.doctor_lists import PAGES_MAX

HEADINGS = ("PART", "KIND", "WHAT", "DETAIL", "MEND", "WHICH")


@click.command()
@click.option(
    "--deep", is_flag=True, help="Also make the store anew from the log, aside, and compare."
)
@unknown_after
@click.option(
    "--pages",
    default=PAGES_MAX,
    show_default=True,
    type=click.IntRange(1),
    metavar="COUNT",
    help="How many cached pages to compare at most.",
)
@click.option("--json", "form", flag_value="json", help="Print a report as JSON.")
@click.option("-o", "form", type=click.Choice(["table", "json"]), default="table", help="The same.")
def doctor(deep: bool, unknown_seconds: int, pages: int, form: str) -> None:
    """Prove that storage, store, cache and committed offsets agree; change nothing.

    For operators, with the service's own settings in the environment. Each difference comes with
    the command that repairs it. `make doctor` asks something else: whether each service of the
    local stack works.

    \b
    Exit codes:
      0  all agree
      1  there are differences
      2  a setting is missing or wrong
      4  a part could not be looked at; the others were

    \b
    For the local stack:  eval "$(make status O=env)"
    """
    services = wiring.services()
    try:
        made = services.doctor(is_deep=deep, unknown_seconds=unknown_seconds, pages=pages)
        reports = list(_told(made()))
    finally:
        services.close()
    if form == "json":
        print_json(as_data(reports))
    elif rows := [
        (one.part, found.kind, found.subject, found.detail, found.mend or "-", found.advice)
        for one in reports
        if one.seen
        for found in one.seen.findings
    ]:
        print_rows(HEADINGS, rows)
    _end(reports)


def _told(reports: Iterator[Report]) -> Iterator[Report]:
    """Each of *reports*, after a line that says how it went."""
    for one in reports:
        if not one.seen:
            say(f"{one.part}: could not look: {one.problem}")
        else:
            count = len(one.seen.findings)
            verdict = amount(count, "difference") if count else "agree"
            say(f"{one.part}: {one.seen.what}: {verdict}")
        yield one


def _end(reports: list[Report]) -> None:
    away = [one.part for one in reports if not one.seen]
    count = sum(len(one.seen.findings) for one in reports if one.seen)
    if away:
        others = f"; elsewhere {amount(count, 'difference')}" if count else ""
        raise Failure(f"could not look at {', '.join(away)}{others}", UNREACHABLE)
    if count:
        raise Failure(f"{amount(count, 'difference')}; each row says what repairs it", 1)
    say("All agree.")


def as_data(reports: list[Report]) -> dict[str, Any]:
    """*reports* for programs."""
    return {
        "parts": [
            {
                "part": one.part,
                "looked": one.seen.what if one.seen else None,
                "problem": one.problem or None,
                "differences": len(one.seen.findings) if one.seen else None,
            }
            for one in reports
        ],
        "differences": [
            {"part": one.part, **asdict(found)}
            for one in reports
            if one.seen
            for found in one.seen.findings
        ],
    }
