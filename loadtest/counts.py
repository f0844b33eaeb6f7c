"""What is counted over all processes of a run, each of which hears only of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Counts:
    """This process's part; the process that leads knows the others' too."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new run: nothing is counted."""
        self.own: Counter[str] = Counter()
        self._others: dict[str, Mapping[str, int]] = {}

    def told(self, process: str, counts: Mapping[str, int]) -> None:
        """What another process counted so far; it takes the place of what it told before."""
        self._others[process] = counts

    def count(self, what: str) -> int:
        """Over all processes."""
        return self.own[what] + sum(counts.get(what, 0) for counts in self._others.values())
