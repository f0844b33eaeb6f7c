"""What is kept of a run, and the exit code: statistics against limits, ledger against truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.books import Books, as_plain
from loadtest.limits import Limits, Numbers

if TYPE_CHECKING:
    from locust.stats import RequestStats  # importing it makes every socket a greenlet's

JUDGE_SECONDS_MAX = 900


@dataclass(frozen=True)
class Verdict:
    """``found`` is what the judge says of the books; each sentence of ``broken`` fails the run."""

    found: Mapping[str, Any]
    broken: Sequence[str]

    @property
    def exit_code(self) -> int:
        return 1 if self.broken else 0


def judge(
    books: Books,
    numbers: Mapping[str, Numbers],
    shape: str,
    complaints: Sequence[str],
    settle_seconds: float,
) -> Verdict:
    """Compare everything; *complaints* are what the run itself has seen."""
    told = as_plain(books.ledger.requests, books.ledger)
    told["settleSeconds"] = settle_seconds
    told["users"] = [[one.user_id, one.token, one.tier] for one in books.users.values()]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.judge"],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=JUDGE_SECONDS_MAX,
    )
    broken = [*complaints, *Limits.load(shape).broken(numbers)]
    if done.returncode:
        return Verdict({}, [*broken, f"the judge failed: {done.stderr.strip()[-2000:]}"])
    found = json.loads(done.stdout)
    hidden = found["violationsCount"] - len(found["violations"])
    broken += found["violations"] + ([f"and {hidden} more violations"] if hidden else [])
    broken += [f"lost: {name}" for name in found["sets"]["lostNames"]]
    broken += [f"duplicated: {name}" for name in found["sets"]["duplicatedNames"]]
    return Verdict(found, broken)


def numbers(stats: RequestStats) -> dict[str, Numbers]:
    """By name; what Locust calls a type is part of it where the name does not tell the method."""
    told = {}
    for (name, kind), entry in stats.entries.items():
        label = name if name.startswith(("PUT ", "GET ")) else f"{kind} {name}"
        told[label] = Numbers(
            entry.num_requests,
            entry.num_failures,
            float(entry.get_response_time_percentile(0.95) or 0),
        )
    return told


def write(directory: Path, verdict: Verdict, of_run: Mapping[str, Any]) -> Path:
    """The JSON report; *of_run* is what else is known."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "report.json"
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "isGood": not verdict.broken,
        "broken": list(verdict.broken),
        "ledger": dict(verdict.found),
        **of_run,
    }
    path.write_text(json.dumps(told, indent=2) + "\n")
    return path


def lines(verdict: Verdict) -> list[str]:
    """What a person is told at the end."""
    told = []
    if verdict.found:
        one, requests = verdict.found["sets"], verdict.found["requests"]
        told.append(
            f"ledger: {requests['users']} users; {one['granted']} granted, {one['cancelled']} of "
            f"them cancelled ({one['givenUp']} by the judge); {one['stored']} stored, "
            f"{one['listed']} listed; lost {one['lost']}, unlisted {one['unlisted']}, duplicated "
            f"{one['duplicated']}"
        )
        told.append(
            f"promises: {verdict.found['violationsCount']} violations; no consumer behind after "
            f"{verdict.found['quietAfterSeconds']} s"
        )
    told += [f"broken: {sentence}" for sentence in verdict.broken]
    told.append("the run failed" if verdict.broken else "the run is good")
    return told


def plain(all_numbers: Mapping[str, Numbers]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in sorted(all_numbers.items())}
