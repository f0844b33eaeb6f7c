"""Both sides of a ratio in turn, several times, in one run on one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psutil

from bench.floor import Floor
from bench.row import amount
from bench.target import Target
from emulation.native.services import ADMIN, GATEWAYS, WORKERS

T = TypeVar("T")
OURS = (*GATEWAYS, ADMIN, *WORKERS)
TELL_FROM = 0.02  # of all the CPU time; below that a process took no part


@dataclass(frozen=True)
class Side:
    """*count* operations: how long they took, and the CPU seconds of each process meanwhile.

    CPU was counted for ``span`` seconds, until all was quiet.
    """

    count: int
    seconds: float
    cpu: Mapping[str, float]
    span: float = 0.0

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    def cpu_ms(self, *names: str) -> float:
        """CPU milliseconds an operation, of the processes whose names begin so."""
        return (
            sum(cpu for name, cpu in self.cpu.items() if name.startswith(names)) * 1e3 / self.count
        )


def measure(
    target: Target, count: int, work: Callable[[], object], floor: Floor | None = None
) -> Side:
    """*work* is timed; its CPU also counts what goes on after it until all is quiet.

    Of this process, ``bench``, which is the clients and those floors that need no server, only
    *work* counts: not that it looks at the others.
    """

    def cpu() -> dict[str, float]:
        return target.cpu() | ({"bare": floor.cpu()} if floor else {})

    before = cpu()
    began, own = time.perf_counter(), time.process_time()
    work()
    own, seconds = time.process_time() - own, time.perf_counter() - began
    target.settle()
    after, span = cpu(), time.perf_counter() - began
    used = {name: after[name] - before[name] for name in before}
    return Side(count, seconds, used | {"bench": own}, span)


def measured(target: Target, count: int, work: Callable[[], T]) -> tuple[T, Side]:
    """What *work* gives, and what it took."""
    given: list[T] = []
    side = measure(target, count, lambda: given.append(work()))
    return given[0], side


def interleaved(
    target: Target, ours: Callable[[], Side], floor: Callable[[], Side]
) -> list[tuple[Side, Side]]:
    """One pair to warm up, which counts for nothing; the side that begins alternates."""
    pairs = []
    for number in range(-1, target.pairs):
        if number % 2:
            bare, whole = floor(), ours()
        else:
            whole, bare = ours(), floor()
        if number >= 0:
            pairs.append((whole, bare))
    return pairs


def told(pairs: Sequence[tuple[Side, Side]], what: str = "/s") -> str:
    """How fast both sides were, and which processes took how much CPU for it."""
    ours, floor = [one for one, _ in pairs], [other for _, other in pairs]
    return (
        f"{amount(speed(ours))}{what}, floor {amount(speed(floor))}{what}; "
        f"CPU ms each: {cpu_of(ours)}; floor: {cpu_of(floor)}"
    )


def bound(pairs: Sequence[tuple[Side, Side]], cores: int | None = None) -> str:
    """The ratio that engines and the client would leave if our processes took no CPU: at most.

    As if all cores were always busy, which no chain of steps achieves.
    """
    ours, floor = [one for one, _ in pairs], [other for _, other in pairs]
    count = sum(side.count for side in ours)
    cpu = [seconds for side in ours for name, seconds in side.cpu.items() if name not in OURS]
    if not sum(cpu):
        return ""
    possible = (cores or psutil.cpu_count() or 1) * count / sum(cpu)
    return f"; without CPU of ours at most {amount(possible / speed(floor))}"


def cpu_of(sides: Sequence[Side]) -> str:
    count = sum(side.count for side in sides)
    by_name = {name: sum(side.cpu.get(name, 0) for side in sides) for name in sides[0].cpu}
    least = TELL_FROM * sum(by_name.values())
    shown = sorted((name for name in by_name if by_name[name] > least), key=lambda n: -by_name[n])
    return ", ".join(f"{name} {amount(by_name[name] * 1000 / count)}" for name in shown)


def speed(sides: Sequence[Side]) -> float:
    """Operations a second."""
    return sum(side.count for side in sides) / sum(side.seconds for side in sides)
