"""What a run may cost: the limits are data, in ``limits.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("limits.json")


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the statistics say of all requests of one name."""

    requests: int
    failures: int
    p95_milliseconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """``p95_max`` is by name; the times of ``not_measured`` are not the service's."""

    failure_ratio_max: float
    p95_max: Mapping[str, float]
    p95_max_of_others: float
    not_measured: Sequence[str]
    requests_min: int

    @classmethod
    def load(cls, shape: str = "", path: Path = PATH) -> Limits:
        """Those that hold everywhere, and in their place what *shape* has of its own."""
        everything: dict[str, dict[str, Any]] = json.loads(path.read_text())
        given = everything["everywhere"] | everything.get(shape, {})
        return cls(
            given["failureRatioMax"],
            given["p95MillisecondsMax"],
            given["p95MillisecondsMaxOfOthers"],
            given["notMeasured"],
            given["requestsMin"],
        )

    def broken(self, numbers: Mapping[str, Numbers]) -> list[str]:
        """One sentence for each limit that *numbers*, by name, are over."""
        requests = sum(one.requests for one in numbers.values())
        failures = sum(one.failures for one in numbers.values())
        told = []
        if requests < self.requests_min:
            told.append(f"{requests} requests, at least {self.requests_min} were to be made")
        if requests and failures / requests > self.failure_ratio_max:
            share = f"{failures} of {requests} requests failed"
            told.append(f"{share}, over the ratio of {self.failure_ratio_max:g}")
        for name, one in sorted(numbers.items()):
            limit = self.p95_max.get(name, self.p95_max_of_others)
            if name not in self.not_measured and one.p95_milliseconds > limit:
                told.append(f"{name}: p95 {one.p95_milliseconds:.0f} ms, over {limit:.0f} ms")
        return told
