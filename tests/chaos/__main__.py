"""Break a stack of its own on purpose, and check that every promise is kept."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from pathlib import Path

import click

from emulation.faults.clock import NoFaketime
from emulation.native.stack import Stack
from tests.chaos import clocks, connections, edges, engines, messages, processes, report
from tests.chaos.case import Case
from tests.chaos.course import SCENARIOS, run
from tests.chaos.lab import OVERRIDES, Lab
from tests.chaos.planted import overlooked

PORT_BASE = "24500"
# Its logs stay until the next run.
DIRECTORY = Path(os.environ.get("CHAOS_DIR", ".stack/chaos"))
QUIET_SECONDS = 30.0
# Each enters its scenarios.
SCRIPTS = (processes, engines, messages, edges, connections, clocks)


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--long", "is_long", is_flag=True, help="The sizes of the long set.")
@click.option("--seed", default="", help="Make the choices of the run that had this seed.")
@click.option(
    "--quiet-seconds",
    default=QUIET_SECONDS,
    show_default=True,
    help="How long consumers may be behind after the last heal.",
)
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Enter what was found into this page.",
)
def main(
    names: tuple[str, ...], is_long: bool, seed: str, quiet_seconds: float, page: Path | None
) -> None:
    if unknown := set(names) - SCENARIOS.keys():
        raise click.BadParameter(f"{', '.join(unknown)}; there are: {', '.join(in_order())}")
    os.environ.setdefault("STACK_ENGINES", str(Path(".stack/engines").resolve()))
    seed = seed or secrets.token_hex(4)
    click.echo(f"seed {seed}")
    base = int(os.environ.get("CHAOS_PORT_BASE", PORT_BASE))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    entries = [SCENARIOS[name] for name in names] or [
        entry for name in in_order() if not (entry := SCENARIOS[name]).skews
    ]
    skewable = any(entry.skews for entry in entries)
    stack = Stack(base, DIRECTORY.resolve(), faulty=True, skewable=skewable, overrides=OVERRIDES)
    try:
        if not stack.up():
            raise click.ClickException(
                "a run is under way here; wait for it, or set CHAOS_DIR and CHAOS_PORT_BASE"
            )
    except NoFaketime as error:
        raise click.ClickException(str(error)) from error
    try:
        lab = Lab(stack, seed, is_long=is_long, quiet_seconds=quiet_seconds)
        cases = run(lab, entries, click.echo)
        if page:  # now: what was found must not be lost with a check of the checks
            report.write(page, cases, in_order())
        missed = _blind(cases)
        lab.close()
    finally:
        stack.down()
    sys.exit(_told(cases, missed, seed))


def in_order() -> list[str]:
    """The names of all scenarios, script by script."""
    return [
        name
        for script in SCRIPTS
        for name, entry in SCENARIOS.items()
        if entry.run.__module__ == script.__name__
    ]


def _blind(cases: list[Case]) -> list[str] | None:
    """The promises that no check would have seen broken; None when that could not be tried."""
    for case in cases:
        if case.ledger.counts()["sent"] > 10:
            return list(overlooked(case))
    return None


def _told(cases: list[Case], missed: list[str] | None, seed: str) -> int:
    """Says what is wrong; the exit code."""
    for case in cases:
        for found in case.found:
            click.echo(f"{case.name}: {found}", err=True)
    for promise in missed or ():
        click.echo(f"{promise} was broken by hand, and no check saw it", err=True)
    broken = sum(len(case.found) for case in cases)
    requests = sum(len(case.ledger.requests) for case in cases)
    blind = "too few to try the checks on" if missed is None else f"{len(missed)} blind checks"
    click.echo(f"{requests} requests, {broken} violations, {blind}; seed {seed}")
    return 1 if broken or missed else 0


if __name__ == "__main__":
    main()
