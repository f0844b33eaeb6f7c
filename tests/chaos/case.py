"""A case: one scenario at one size, with users and a ledger of its own.

Load, faults, a heal, the wait until no consumer is behind. The promises are checked once every
upload is settled.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hoist.domain.errors import Unavailable
from loadtest import truth
from loadtest.checks import Violation, violations
from loadtest.ledger import Ledger, Name
from loadtest.people import User
from tests.chaos.clients import Habits
from tests.chaos.lab import Lab
from tests.chaos.load import Load

# Answers that no fault excuses.
FAULTS = ("internal", "unauthorized", "forbidden", "not_found", "malformed", "invalid_request")
READY_SECONDS_MAX, QUIET_SECONDS_MAX = 120.0, 180.0
Thing = TypeVar("Thing")


@dataclass
class Case:
    """``quiet_seconds`` passed from the last heal until no consumer was behind."""

    lab: Lab
    name: str
    users: list[User]
    ledger: Ledger = field(default_factory=Ledger)
    facts: dict[str, Any] = field(default_factory=dict)
    found: list[Violation] = field(default_factory=list)
    quiet_seconds: float | None = None
    over_quota: set[str] = field(default_factory=set)
    vanished: set[Name] = field(default_factory=set)
    healed_at: float = 0.0

    def __post_init__(self) -> None:
        self.seed = f"{self.lab.seed}/{self.name}"
        self.random = random.Random(self.seed)

    @property
    def number(self) -> int:
        """Another seed each time, of the same row."""
        return self.random.randrange(2**31)

    def shuffled(self, things: Sequence[Thing]) -> list[Thing]:
        return self.random.sample(list(things), len(things))

    def complain(self, promise: str, subject: str, detail: str) -> None:
        """A violation that the scenario itself has seen."""
        self.found.append(Violation(promise, subject, detail))

    def most(self, name: str, value: float) -> None:
        """Keep the highest *value* of this name."""
        self.facts[name] = round(max(value, self.facts.get(name, 0)), 1)

    @contextmanager
    def load(self, per_second: float = 40, *, clients: int = 12, **habits: float) -> Iterator[None]:
        """Load while the block runs, at first a moment without faults. Its end is the heal."""
        load = Load(
            self.ledger,
            self.users,
            self.lab.urls,
            seed=f"{self.seed}/{len(self.ledger.requests)}",
            per_second=per_second,
            clients=clients,
            habits=Habits(**habits),
        ).start()
        with self.watching_quotas():
            try:
                time.sleep(self.lab.size(2, 10))
                yield
            finally:
                self.healed_at = time.monotonic()
                load.stop()

        if not self.ledger.counts()["ok"]:
            self.complain("I8", "gateways", "accepted nothing at all")

    @contextmanager
    def watching_quotas(self) -> Iterator[None]:
        """Nobody may be over their quota at any look."""
        auditor = truth.Auditor(self.lab.services, self.users)
        with _every(0.5, auditor.look):
            yield
        self.over_quota |= auditor.over
        if not auditor.looks:
            self.complain("I5", "accounts", "nobody could look at them")

    @contextmanager
    def watching_partitions(self) -> Iterator[Callable[[], float]]:
        """Tells the longest time, in seconds, for which a partition had work and did none."""
        eyes = self.lab.new_services()  # one client is one thread's
        watch = truth.Stalls(eyes)
        with _every(0.2, watch.look):
            yield lambda: watch.longest
        eyes.close()
        if not watch.looks:
            self.complain("lab", "partitions", "nobody could look at them")

    def settle(self, quiet_seconds_max: float = QUIET_SECONDS_MAX) -> None:
        """After the heal: wait until everything runs, and no consumer is behind."""
        began = self.healed_at or time.monotonic()
        truth.wait_until(lambda: not self.lab.down(), READY_SECONDS_MAX)
        quiet = truth.wait_until(lambda: self.lab.behind() == 0, quiet_seconds_max)
        self.quiet_seconds = None if quiet is None else round(time.monotonic() - began, 1)

    def judge(self) -> None:
        """Compare the ledger with what is true; call it once all is settled."""
        found = truth.read(self.lab.services, self.ledger, self.users, self.lab.urls)
        found.quiet_seconds, found.quiet_seconds_max = self.quiet_seconds, self.lab.quiet_seconds
        found.down, found.over_quota = self.lab.down(), sorted(self.over_quota)
        self.found += violations(self.ledger, found)
        for code, count in self.ledger.refusals.items():
            if code in FAULTS:
                self.complain("I8", "gateways", f"answered {code} {count} times")


@contextmanager
def _every(seconds: float, look: Callable[[], None]) -> Iterator[None]:
    """*look* in a thread of its own while the block runs; what it cannot see now, it leaves."""
    stopping, errors = threading.Event(), list[Exception]()

    def work() -> None:
        try:
            while not stopping.wait(seconds):
                with suppress(Unavailable):
                    look()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    if errors:
        raise errors[0]
