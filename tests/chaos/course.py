"""The course of a run: every case in turn, then the wait until all is settled, then every check."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loadtest import truth
from tests.chaos.case import Case
from tests.chaos.lab import Lab

SETTLE_SECONDS_MAX = 300.0
Scenario = Callable[[Case], None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A scenario, the rows of docs/chaos.md that it is for, and what it is about."""

    name: str
    rows: str
    about: str
    run: Scenario
    skews: bool = False


SCENARIOS: dict[str, Entry] = {}


def scenario(
    name: str, rows: str, about: str, *, skews: bool = False
) -> Callable[[Scenario], Scenario]:
    """Enter the function under *name*. One that *skews* clocks only runs when it is named."""

    def enter(run: Scenario) -> Scenario:
        SCENARIOS[name] = Entry(name, rows, about, run, skews)
        return run

    return enter


def run(lab: Lab, entries: Sequence[Entry], tell: Tell) -> list[Case]:
    cases = []
    for entry in entries:
        tell(f"{entry.name} ({entry.rows}): {entry.about}")
        began = time.monotonic()
        case = Case(lab, entry.name, lab.users())
        try:
            with _biting(case):
                entry.run(case)
        except Exception as error:
            # The others, and the report, must not be lost with it.
            tell(traceback.format_exc())
            case.complain("lab", entry.name, f"did not come to its end: {error!r}")
        finally:
            lab.faults.clear()
        case.settle()
        case.facts["seconds"] = round(time.monotonic() - began)
        tell(f"  {_told(case)}")
        cases.append(case)
    tell("waiting until every upload is settled")
    if truth.wait_until(lambda: not _unsettled(lab, cases), SETTLE_SECONDS_MAX) is None:
        left = [str(each) for each in _unsettled(lab, cases)]
        cases[-1].complain("I8", "uploads", f"not settled: {left[:5]} and {len(left)} in all")
    for case in cases:
        case.judge()
    _look_around(lab, cases)
    return cases


@contextmanager
def _biting(case: Case) -> Iterator[None]:
    """Tells how often each kind of toxic did something: one that never does proves nothing."""
    faults = case.lab.faults
    faults.made.clear()
    before = faults.counts()
    yield
    after = faults.counts()
    bites = {
        f"{target} {kind}": after[target]["faults"].get(kind, 0)
        - before[target]["faults"].get(kind, 0)
        for target, kind in sorted(faults.made)
    }
    if bites:
        case.facts["bites"] = " ".join(f"{name} {count}" for name, count in bites.items())
    if bites and not any(bites.values()):
        case.complain("lab", "faults", "no toxic touched anything")


def _told(case: Case) -> str:
    facts: dict[str, Any] = {
        **case.ledger.counts(),
        "refusals": dict(case.ledger.refusals),
        "quiet after seconds": case.quiet_seconds,
        **case.facts,
    }
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value not in ([], {}))


def _look_around(lab: Lab, cases: Sequence[Case]) -> None:
    """What no case would miss: rows of strangers, and things in storage that no row wants."""
    known = {user.user_id for case in cases for user in case.users}
    rows, _ = truth.rows_and_accounts(lab.services)
    for row in rows:
        if row.user_id not in known:
            cases[-1].complain("I3", str(row.name), "a record of somebody nobody knows")
    for difference in lab.services.reconcile(0):
        cases[-1].complain("I3", difference.subject, difference.detail)


def _unsettled(lab: Lab, cases: Sequence[Case]) -> list[object]:
    """What still waits, consumers first."""
    behind = lab.behind(retries=True)
    if behind is None or behind:
        return [f"{behind} records wait for consumers"]
    rows, accounts = truth.rows_and_accounts(lab.services)
    return [name for case in cases for name in truth.unsettled(case.ledger, rows, accounts)]
