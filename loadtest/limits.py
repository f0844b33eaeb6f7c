"""What a run may cost, and what it must have done: the limits are data, in ``limits.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("limits.json")


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the statistics say of all requests of one name."""

    requests: int
    failures: int
    p95_milliseconds: float
    p50_milliseconds: float = 0.0
    p99_milliseconds: float = 0.0
    max_milliseconds: float = 0.0

    @property
    def successes(self) -> int:
        return self.requests - self.failures


@dataclass(frozen=True, slots=True)
class Limits:
    """``p95_max`` is by name; the times of ``not_measured`` are not the service's.

    ``min_by_name`` are successes that there must be, ``min_by_class`` those where somebody of that
    class took part, ``stored_min_by_class`` the files of a tier then. ``refusals`` are the names of
    what was refused by policy: no more than ``refused_ratio_max`` of all requests. And for no more
    than ``waited_share_max`` of the time of a tier's uploads may refusals have told to wait.
    """

    failure_ratio_max: float
    p95_max: Mapping[str, float]
    p95_max_of_others: float
    not_measured: Sequence[str]
    requests_min: int
    min_by_name: Mapping[str, int] = field(default_factory=dict)
    min_by_class: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    stored_min_by_class: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refusals: Sequence[str] = ()
    refused_ratio_max: float = 1.0
    waited_share_max: float = 1.0

    @classmethod
    def load(cls, shape: str = "", path: Path = PATH) -> Limits:
        """Those that hold everywhere, and in their place what *shape* has of its own, by name."""
        everything: dict[str, dict[str, Any]] = json.loads(path.read_text())
        given = _merged(everything["everywhere"], everything.get(shape, {}))
        return cls(
            failure_ratio_max=given["failureRatioMax"],
            p95_max=given["p95MillisecondsMax"],
            p95_max_of_others=given["p95MillisecondsMaxOfOthers"],
            not_measured=given["notMeasured"],
            requests_min=given["requestsMin"],
            min_by_name=given["requestsMinByName"],
            min_by_class=given["requestsMinByClass"],
            stored_min_by_class=given["storedMinByClass"],
            refusals=given["refusals"],
            refused_ratio_max=given["refusedRatioMax"],
            waited_share_max=given["waitedShareMax"],
        )

    def broken(self, numbers: Mapping[str, Numbers], classes: Iterable[str] = ()) -> list[str]:
        """One sentence for each limit that *numbers*, by name, are over.

        *classes* are those of whom at least one took part.
        """
        requests = sum(one.requests for one in numbers.values())
        failures = sum(one.failures for one in numbers.values())
        told = []
        if requests < self.requests_min:
            told.append(f"{requests} requests, at least {self.requests_min} were to be made")
        if requests and failures / requests > self.failure_ratio_max:
            share = f"{failures} of {requests} requests failed"
            told.append(f"{share}, over the ratio of {self.failure_ratio_max:g}")
        told += self._too_few(numbers, classes)
        told += self._too_often_refused(numbers, requests)
        for name, one in sorted(numbers.items()):
            limit = self.p95_max.get(name, self.p95_max_of_others)
            if name not in self.not_measured and one.p95_milliseconds > limit:
                told.append(f"{name}: p95 {one.p95_milliseconds:.0f} ms, over {limit:.0f} ms")
        return told

    def broken_by_tier(
        self,
        stored: Mapping[str, int],
        waited_shares: Mapping[str, float],
        classes: Iterable[str] = (),
    ) -> list[str]:
        """One sentence for each tier of which too little was stored, or that waited for too long.

        *waited_shares* are of the time of uploads: as much of it refusals told to wait.
        """
        told = []
        for tier, least in sorted(_at_least({}, self.stored_min_by_class, classes).items()):
            if stored.get(tier, 0) < least:
                told.append(f"{tier}: {stored.get(tier, 0)} stored, at least {least} must be")
        for tier, share in sorted(waited_shares.items()):
            if share > self.waited_share_max:
                waited = f"told to wait for {share:.0%} of the time of uploads"
                told.append(f"{tier}: {waited}, over {self.waited_share_max:.0%}")
        return told

    def _too_few(self, numbers: Mapping[str, Numbers], classes: Iterable[str]) -> Iterator[str]:
        for name, least in sorted(_at_least(self.min_by_name, self.min_by_class, classes).items()):
            done = numbers[name].successes if name in numbers else 0
            if done < least:
                yield f"{name}: {done} successes, at least {least} must be"

    def _too_often_refused(self, numbers: Mapping[str, Numbers], requests: int) -> Iterator[str]:
        refused = sum(numbers[name].requests for name in self.refusals if name in numbers)
        if requests and refused / requests > self.refused_ratio_max:
            share = f"{refused} of {requests} requests were refused by policy"
            yield f"{share}, over the ratio of {self.refused_ratio_max:g}"


def _at_least(
    always: Mapping[str, int], by_class: Mapping[str, Mapping[str, int]], classes: Iterable[str]
) -> dict[str, int]:
    wanted = dict(always)
    for each in classes:
        for name, least in by_class.get(each, {}).items():
            wanted[name] = max(least, wanted.get(name, 0))
    return wanted


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """*base* with what *over* has in its place; what is a mapping in both is merged in turn."""
    told = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            told[key] = _merged(base[key], over[key])
    return told
