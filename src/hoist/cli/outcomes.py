"""What became of the files of one command: lines, reasons, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoist.cli.output import print_json, print_rows, printable, say, shown_path
from hoist.cli.problems import (
    FAILED,
    PARTLY_FAILED,
    Failure,
    exit_code_of,
    explain,
    explain_system,
)
from hoist.client import HoistProblem


@dataclass(frozen=True)
class Outcome:
    """What became of one file, which *subject* named: the file as it is now, or a reason."""

    subject: str
    file: Mapping[str, Any] | None = None
    problem: HoistProblem | OSError | None = None

    @property
    def reason(self) -> str:
        if isinstance(self.problem, HoistProblem):
            return explain(self.problem)
        return explain_system(self.problem) if self.problem else ""

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.problem) if isinstance(self.problem, HoistProblem) else FAILED

    @property
    def is_final(self) -> bool:
        """Whether the same upload, asked for again, would end the same way."""
        if not isinstance(self.problem, HoistProblem):
            return self.problem is None
        may_change = self.problem.retriable or self.problem.code in ("not_confirmed", "stopped")
        return not may_change and self.problem.status != 401


def id_and_name(file: Mapping[str, Any]) -> tuple[object, ...]:
    """Of a file that is gone for good only the id is left."""
    return file["fileId"], shown_path(file) if "name" in file else ""


def report(
    outcomes: Sequence[Outcome],
    *,
    as_json: bool,
    headings: Sequence[str] = ("ID", "NAME"),
    row: Callable[[Mapping[str, Any]], Sequence[object]] = id_and_name,
) -> None:
    """What is done on stdout, the reasons on stderr; raises the exit code of a failure."""
    done = [outcome.file for outcome in outcomes if outcome.file]
    failed = [outcome for outcome in outcomes if not outcome.file]
    if as_json:
        problems = [{"path": item.subject, "detail": item.reason} for item in failed]
        print_json({"files": done, "problems": problems})
    elif done:
        print_rows(headings, [row(file) for file in done])
    if len(outcomes) == 1 and failed:
        raise Failure(f"{printable(failed[0].subject)}: {failed[0].reason}", failed[0].exit_code)
    for item in failed:
        say(f"{printable(item.subject)}: {item.reason}")
    if failed:
        codes = {item.exit_code for item in failed}
        code = PARTLY_FAILED if done else codes.pop() if len(codes) == 1 else FAILED
        raise Failure(f"{len(failed)} of {len(outcomes)} files failed", code)
