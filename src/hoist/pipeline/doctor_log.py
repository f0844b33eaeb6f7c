"""Part of the doctor: the store against the log that it is a view of, and what nobody handled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hoist.pipeline.dead_letters import DeadLetters
from hoist.pipeline.doctor import Finding, Seen, amount, command
from hoist.pipeline.doctor_storage import REBUILD, REBUILD_ADVICE
from hoist.pipeline.letters import Wanted
from hoist.pipeline.rebuild import Rebuild, what_differs


@dataclass(frozen=True)
class CheckLog:
    """Replays ``hoist.metadata`` whole into a store of its own, and holds the rows of both."""

    rebuild: Callable[[], AbstractContextManager[Rebuild]]

    def __call__(self) -> Seen:
        with self.rebuild() as rebuild:
            told = rebuild()
        findings = [
            Finding("row_differs", "/".join(one.key), what_differs(one), REBUILD, REBUILD_ADVICE)
            for one in told.unlike
        ]
        what = f"{amount(told.events, 'event')} make {amount(told.rows, 'row')}"
        return Seen(f"{what}, against the store", tuple(findings))


@dataclass(frozen=True)
class CheckLetters:
    """Reads every dead letter and decision once; keeps counts, and what was decided."""

    letters: DeadLetters

    def __call__(self) -> Seen:
        counts: Counter[tuple[str, str]] = Counter()
        for letter in self.letters.matching(Wanted()):
            counts[letter.group, letter.journey.error_class] += 1
        findings = [_waiting(*of, count) for of, count in sorted(counts.items())]
        return Seen(f"{amount(counts.total(), 'dead letter')} open", tuple(findings))


def _waiting(group: str, error: str, count: int) -> Finding:
    words = ["hoist", "admin", "dlq", "replay", "--group", group]
    words += ["--error", error] if error else []
    advice = "once its cause is gone; `hoist admin dlq list` shows them, `drop` gives one up"
    if error == "Malformed":
        words[3], advice = "list", "then `hoist admin dlq edit ID` and `replay ID`, or `drop ID`"
    detail = f"{amount(count, 'record')} nobody could handle: {error or 'they do not say why'}"
    return Finding("dead_letters", group, detail, command(*words), advice)
