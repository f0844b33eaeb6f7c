"""For operators: whether storage, store, cache and committed offsets say the same; changes nothing.

Every check looks twice before it tells: what is on its way is no difference.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hoist.domain.errors import HoistError


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: what each side says is in ``detail``.

    ``mend`` is the command that repairs it, or empty when no command can; ``advice`` says what it
    does, and what a person has to do.
    """

    kind: str
    subject: str
    detail: str
    mend: str
    advice: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check looked at, in words with a count, and what it found."""

    what: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Of one part; ``seen`` is None when it could not be looked at, for the reason ``problem``."""

    part: str
    seen: Seen | None
    problem: str = ""


@dataclass(frozen=True)
class Doctor:
    """``needs`` are asked before each part: they say ``Unavailable`` of a bucket or table that is
    not there, too.
    """

    checks: Mapping[str, Callable[[], Seen]]
    needs: Mapping[str, Sequence[Callable[[], None]]]

    def __call__(self) -> Iterator[Report]:
        """Part after part, each as soon as it is done. One that is away, or that a newer
        release has written, hides none of the others.

        Never raises a ``HoistError``: a report says so.
        """
        for part, check in self.checks.items():
            try:
                for is_there in self.needs.get(part, ()):
                    is_there()
                yield Report(part, check())
            except HoistError as error:
                yield Report(part, None, str(error))


def command(*words: str) -> str:
    """*words* as a shell takes them: user ids hold characters that it would read otherwise."""
    return shlex.join(words)


def amount(number: int, one: str, many: str = "") -> str:
    """``1 object``, ``1,204 objects``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
