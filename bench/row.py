"""One line of what was measured: the middle of several pairs, their spread, and the goal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """*values* has one number of each pair: a ratio, or with a *unit* an amount.

    It is met when the median is at least *goal*, or with *is_most* at most that. Without a goal
    it is only told.
    """

    name: str
    what: str
    values: Sequence[float]
    goal: float | None = None
    is_most: bool = False
    unit: str = ""
    detail: str = ""

    @property
    def middle(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.middle <= self.goal if self.is_most else self.middle >= self.goal

    @property
    def spread(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{amount(self.middle)}{self.unit} ({amount(low)} to {amount(high)})"

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return "no goal"
        sign = "<=" if self.is_most else ">="
        return f"goal {sign} {self.goal:g}{self.unit}: {'met' if self.is_met else 'MISSED'}"

    def line(self) -> str:
        told = f"{self.name}: {self.what} {self.spread}, {len(self.values)} pairs; {self.verdict}"
        return f"{told}; {self.detail}" if self.detail else told


def table(rows: Sequence[Row]) -> str:
    """All *rows* against their goals."""
    names = max(len(row.name) for row in rows)
    spreads = max(len(row.spread) for row in rows)
    return "\n".join(
        f"{row.name:{names}}  {row.spread:{spreads}}  {row.verdict:24}  {row.what}" for row in rows
    )


def amount(value: float) -> str:
    """Three digits that matter, never an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank, so that it is a value that was seen."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
