"""What became of the files of one command: lines, reasons, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hoist.cli.output import print_json, print_rows, printable, say, shown_path
from hoist.cli.problems import (
    FAILED,
    PARTLY_FAILED,
    Failure,
    exit_code_of,
    explain,
    explain_system,
)
from hoist.client import HoistProblem, Upload


@dataclass(frozen=True)
class Outcome:
    """What became of one file: an upload or a reason."""

    path: str
    upload: Upload | None = None
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


def report(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """The stored files on stdout, the reasons on stderr; raises the exit code of a failure."""
    stored = [outcome.upload for outcome in outcomes if outcome.upload]
    failed = [outcome for outcome in outcomes if not outcome.upload]
    if as_json:
        problems = [{"path": item.path, "detail": item.reason} for item in failed]
        print_json({"files": [upload.file for upload in stored], "problems": problems})
    elif stored:
        print_rows(("ID", "NAME"), [(item.file_id, shown_path(item.file)) for item in stored])
    if len(outcomes) == 1 and failed:
        raise Failure(f"{printable(failed[0].path)}: {failed[0].reason}", failed[0].exit_code)
    for item in failed:
        say(f"{printable(item.path)}: {item.reason}")
    if failed:
        codes = {item.exit_code for item in failed}
        code = PARTLY_FAILED if stored else codes.pop() if len(codes) == 1 else FAILED
        raise Failure(f"{len(failed)} of {len(outcomes)} files failed", code)
