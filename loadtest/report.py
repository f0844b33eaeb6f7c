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
DEAD_LETTERS = "dead letters"


@dataclass(frozen=True)
class Run:
    """What was run: began at ``began_ms``, with people of *classes*, of a crowd of so many or none.

    ``complaints`` are what the run itself has seen. What was granted may take ``settle_seconds`` to
    settle.
    """

    shape: str
    classes: frozenset[str]
    complaints: Sequence[str]
    began_ms: int
    settle_seconds: float
    crowd: int | None = None


@dataclass(frozen=True)
class Verdict:
    """``found`` is what the judge says of the books; each sentence of ``broken`` fails the run."""

    found: Mapping[str, Any]
    broken: Sequence[str]

    @property
    def exit_code(self) -> int:
        return 1 if self.broken else 0

    def with_more(self, broken: Sequence[str]) -> Verdict:
        """The same, and these sentences."""
        return Verdict(self.found, [*self.broken, *broken])


def judge(books: Books, numbers: Mapping[str, Numbers], run: Run) -> Verdict:
    """Compare everything."""
    told = as_plain(books.ledger.requests, books.ledger)
    told |= {"settleSeconds": run.settle_seconds, "beganMs": run.began_ms}
    told["users"] = [[one.user_id, one.token, one.tier] for one in books.users.values()]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.judge"],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=JUDGE_SECONDS_MAX,
    )
    limits = Limits.load(run.shape)
    broken = [*run.complaints, *limits.broken(numbers, run.classes)]
    if done.returncode:
        return Verdict({}, [*broken, f"the judge failed: {done.stderr.strip()[-2000:]}"])
    found = json.loads(done.stdout)
    return Verdict(found, [*broken, *broken_by(found, limits, run)])


def broken_by(found: Mapping[str, Any], limits: Limits, run: Run) -> list[str]:
    """A sentence for everything that the judge *found* wrong; none for a good run."""
    broken = limits.broken_by_tier(found["storedByTier"], found["waitedShares"], run.classes)
    hidden = found["violationsCount"] - len(found["violations"])
    broken += found["violations"] + ([f"and {hidden} more violations"] if hidden else [])
    broken += [f"lost: {name}" for name in found["sets"]["lostNames"]]
    broken += [f"duplicated: {name}" for name in found["sets"]["duplicatedNames"]]
    broken += [f"dead letter: {one}" for one in found["newDeadLetters"]]
    if run.crowd is not None:
        counts = {name: found["sets"][name] for name in ("granted", "stored", "listed")}
        counts["users"] = found["requests"]["users"]
        if set(counts.values()) != {run.crowd}:
            told = ", ".join(f"{count} {name}" for name, count in counts.items())
            broken.append(f"a crowd of {run.crowd} must have as much of each: {told}")
    return broken


def dead_letters(
    before: Mapping[tuple[str, str], float], peaks: Mapping[tuple[str, str], float]
) -> list[str]:
    """A sentence for each group that had more of them than *before*, by (kind, name)."""
    return [
        f"{peak - before[place]:.0f} dead letters more of {place[1]}"
        for place, peak in sorted(peaks.items())
        if place[0] == DEAD_LETTERS and peak > before[place]
    ]


def numbers(stats: RequestStats) -> dict[str, Numbers]:
    """By name; what Locust calls a type is part of it where the name does not tell the method."""
    told = {}
    for (name, kind), entry in stats.entries.items():
        label = name if name.startswith(("PUT ", "GET ")) else f"{kind} {name}"
        p50, p95, p99 = (
            float(entry.get_response_time_percentile(part) or 0) for part in (0.5, 0.95, 0.99)
        )
        longest = float(entry.max_response_time or 0)
        told[label] = Numbers(entry.num_requests, entry.num_failures, p95, p50, p99, longest)
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
