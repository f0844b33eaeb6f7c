"""What a run found, as a page that is kept.

A row per scenario: what was tried, what was broken, and how sure that makes us. With no violation
in n trials the share of broken ones is below 3/n, with 95 % confidence (the rule of three).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.chaos.case import Case
from tests.chaos.course import SCENARIOS

HEAD = (
    "| scenario | rows | set | seed | seconds | requests | attempts | quiet after | violations "
    "| 95 % bound | what happened |"
)
RULE = "|---" * 11 + "|"
COUNTED = ("seconds",)
TRIALS = ("kills", "crashes", "rounds")  # facts: the bound is of what is tried fewer times


def write(path: Path, cases: list[Case], order: Sequence[str]) -> None:
    """Enter *cases* into the report at *path*; rows of other scenarios stay as they are."""
    rows = _rows(path) | {case.name: _row(case) for case in cases}
    ordered = [rows[name] for name in order if name in rows]
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"
    told = [
        "# What the chaos lab found",
        "",
        f"Written on {datetime.now(UTC):%Y-%m-%d} by `make chaos SIZE=long` or, where the set is "
        "short, by `make chaos REPORT=docs/chaos-report.md`; a row is the last run of its "
        f"scenario. Machine: {machine}, Python {platform.python_version()}; load, faults and the "
        "whole stack share it. How the lab works and what each scenario does: "
        "[chaos.md](chaos.md).",
        "",
        HEAD,
        RULE,
        *ordered,
        "",
        "With 0 violations in n trials, which are the requests or, where there are fewer, the "
        "kills, crashes or rounds, the share of broken ones is below 3/n with 95 % "
        "confidence; it never means that it cannot happen.",
    ]
    path.write_text("\n".join(told) + "\n")


def _rows(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = [line for line in path.read_text().splitlines() if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in lines if line != HEAD}


def _row(case: Case) -> str:
    counts = case.ledger.counts()
    requests = len(case.ledger.requests)
    broken = len(case.found)
    trials = min([requests, *(case.facts[name] for name in TRIALS if name in case.facts)])
    bound = f"< {3 / trials:.2%}" if trials and not broken else "-"
    quiet = "never" if case.quiet_seconds is None else f"{case.quiet_seconds:.0f} s"
    outcomes = {name: counts[name] for name in ("ok", "fail", "unknown", "sent")}
    outcomes |= dict(case.ledger.refusals)
    facts = outcomes | {k: v for k, v in case.facts.items() if k not in COUNTED}
    happened = ", ".join(f"{name} {value}" for name, value in facts.items())
    cells = (
        case.name,
        SCENARIOS[case.name].rows,
        "long" if case.lab.is_long else "short",
        case.lab.seed,
        case.facts["seconds"],
        requests,
        counts["attempts"],
        quiet,
        broken,
        bound,
        happened,
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
