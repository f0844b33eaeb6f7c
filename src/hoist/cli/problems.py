"""What went wrong in one line that says what to do, and the exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from hoist.cli.output import printable, say, size_words
from hoist.client import HoistProblem, Unreachable

FAILED, USAGE, NOT_LOGGED_IN, UNREACHABLE, PARTLY_FAILED = 1, 2, 3, 4, 5
INTERRUPTED = 130  # as shells say it
SAME_SECONDS = 10.0
_LOGIN_ERRORS = ("invalid_grant", "access_denied")


class Failure(click.ClickException):
    """Shown as one line on stderr; the process ends with *exit_code*."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance


class TellWait:
    """Says on stderr that something is tried again, and why: the same not twice in a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self, problem: HoistProblem, pause: float) -> None:
        now, why = self._clock(), problem.detail.partition(";")[0].rstrip(".")
        if now - self._told.get(why, -SAME_SECONDS) < SAME_SECONDS:
            return
        self._told = {why: now}
        when = f"in {pause:.0f} s" if pause >= 1 else "now"
        say(f"{printable(why)}: trying again {when}")


class TellingGroup(click.Group):
    """Turns what the client and the system raise into a ``Failure``."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HoistProblem as problem:
            raise Failure(explain(problem), exit_code_of(problem)) from problem
        except BrokenPipeError:
            raise  # `hoist watch | head`: click ends quietly
        except OSError as error:
            raise Failure(explain_system(error)) from error
        except KeyboardInterrupt:
            raise Failure("interrupted", INTERRUPTED) from None
        except SystemExit as end:
            if isinstance(end.code, str):  # a setting of the service is missing or wrong
                raise Failure(end.code, USAGE) from None
            raise


def exit_code_of(problem: HoistProblem) -> int:
    if isinstance(problem, Unreachable):
        return UNREACHABLE
    return NOT_LOGGED_IN if problem.status == 401 else FAILED


def explain(problem: HoistProblem) -> str:
    """*problem* for a person, with the next step where there is one."""
    detail = problem.detail.rstrip(".")
    if isinstance(problem, Unreachable):
        if detail.startswith(("no gateway", "the issuer")):
            return f"{detail}: start the stack with `make up`, or set HOIST_URL and HOIST_ISSUER"
        return f"{detail}: run the same command again"
    if problem.status == 401 and problem.code not in _LOGIN_ERRORS:
        return f"{detail}: run `hoist login`"
    if problem.code == "upload_cancelled":
        why = detail.partition(";")[0]
        return f"{why}: run the command again, with another --message-id if you gave one"
    if problem.code == "precondition_failed" and "revision" in problem.members:
        revision = problem.members["revision"]
        return (
            f"somebody changed it meanwhile: it is revision {revision} now; "
            "look with `hoist ls`, then try again"
        )
    if problem.code == "archive_too_large":
        return f"{detail}: choose fewer files, or use `hoist download --all`"
    if "limit" in problem.members:
        return " ".join([f"{detail}.", *_limits(problem.members)])
    if problem.code == "not_confirmed" and problem.retriable:
        return f"{detail}: look with `hoist ls`, then try again"
    if problem.code == "not_confirmed":
        return f"{detail}: look again with `hoist status`"
    return f"{detail} ({problem.code})"


def _limits(members: Mapping[str, Any]) -> Iterator[str]:
    """The limit, how much of it is in use, when that changes, and what premium allows."""
    # Only refusals about bytes have a size; the other limits are counts.
    amount = size_words if "size" in members else str
    limit, premium = members["limit"], members.get("premiumLimit")
    use = f", of which {amount(members['inUse'])} is in use" if "inUse" in members else ""
    yield f"The limit is {amount(limit)}{use}."
    if "clearsAt" in members:
        yield f"This clears at {members['clearsAt']}."
    elif "retryAfterSeconds" in members:
        yield f"Try again in {members['retryAfterSeconds']} s."
    if premium is not None and premium > limit:
        yield f"Premium allows {amount(premium)}."


def explain_system(error: OSError) -> str:
    """What the operating system refused, and where."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
