"""Scenarios in which processes of ours die, freeze, come and go."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from emulation.faults.points import POINTS
from loadtest import truth
from tests.chaos.case import Case
from tests.chaos.course import scenario
from tests.chaos.lab import OURS

# Links are no part of the load.
REACHED = [point for point in POINTS if not point.endswith("store.count")]
# Which of our processes pass a crash point is not written down anywhere: all are armed in turn.
CRASHING = (
    "gateway-a",
    "upload-premium",
    "upload-basic",
    "metadata",
    "bucket-events",
    "retries",
    "janitor",
)
CRASHES, ROUNDS_MAX = 600, 30  # R2's twelve points fifty times; each round tries every point
CRASH_SECONDS_MAX, BACK_SECONDS_MAX, DRAIN_SECONDS_MAX = 8.0, 40.0, 15.0


@scenario("kill", "R1", "kill -9 of each process of ours, in random order, under load")
def kill(case: Case) -> None:
    with case.load(60, clients=48, cancels=0.05, parts=0.03):
        victims = list(OURS) * case.lab.size(1, 20)
        case.random.shuffle(victims)
        kills = 0
        for victim in victims:
            is_killed = partial(case.lab.kill, victim)  # it may be on its way back just now
            kills += truth.wait_until(is_killed, BACK_SECONDS_MAX) is not None
            time.sleep(1)
        case.facts["kills"] = kills
        if kills < len(victims):
            case.complain("lab", "kill", f"only {kills} of {len(victims)} were there to be killed")


@scenario("crash", "R2", "a process ends between two effects, at every point where it can")
def crash(case: Case) -> None:
    """Points are named after what was just done, or is about to be."""
    points = case.shuffled(REACHED)[: case.lab.size(8, len(REACHED))]
    fired = dict.fromkeys(points, 0)
    crashes = case.lab.size(1, CRASHES)
    with case.load(40, parts=0.15, cancels=0.2):
        for _ in range(case.lab.size(1, ROUNDS_MAX)):
            for name in points:
                fired[name] += _crash(case, name)
            if sum(fired.values()) >= crashes:
                break
        else:
            case.complain("R2", "crashes", f"only {sum(fired.values())} of {crashes}")
    case.facts["crashes"] = sum(fired.values())
    case.facts["points"] = sum(count > 0 for count in fired.values())
    never = sorted(name for name, count in fired.items() if not count)
    if never:
        case.facts["never reached"] = " ".join(never)
    if case.lab.is_long:
        for name in never:
            case.complain("R2", name, "no process ever came to this point")
    elif len(never) > len(points) / 2:
        case.complain("R2", "crash points", f"most were never reached: {never}")


def _crash(case: Case, point: str) -> bool:
    """Whether some process came to *point*, and ended there."""
    faults = case.lab.faults
    for service in CRASHING:
        faults.arm(service, point)
    if "dlq" in point:
        case.lab.poison(case.users[0].tier)
    # A record goes up the ladder when it fails alone, while the store answers others.
    with faults.on("store", errors=0.5 if "retry" in point else 0.05):
        has_fired = truth.wait_until(
            lambda: any(faults.fired(service) for service in CRASHING), CRASH_SECONDS_MAX
        )
    for service in CRASHING:
        faults.disarm(service)
    truth.wait_until(lambda: not case.lab.down(), BACK_SECONDS_MAX)
    return has_fired is not None


@scenario("churn", "R10", "consumers join and leave their groups every few seconds; some freeze")
def churn(case: Case) -> None:
    environment = {**case.lab.environment, **case.lab.settings}
    with case.load(40), case.watching_partitions() as longest:
        until = time.monotonic() + case.lab.size(10, 120)
        while time.monotonic() < until:
            guests = [
                subprocess.Popen(
                    [sys.executable, "-m", "hoist.workers", name],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for name in ("upload-basic", "metadata")
            ]
            time.sleep(5)
            for guest in guests:
                if guest.poll() is not None:
                    case.complain("lab", f"pid {guest.pid}", f"ended by itself: {guest.returncode}")
                guest.send_signal(signal.SIGTERM)
            for guest in guests:
                try:
                    guest.wait(15)
                except subprocess.TimeoutExpired:
                    guest.kill()
                    case.complain("I8", f"pid {guest.pid}", "did not leave within 15 s of SIGTERM")
        case.facts["longest stall seconds"] = round(longest(), 1)
        if longest() > 20:
            case.complain("I8", "a partition", f"had work for {longest():.0f} s and did none")
        # Long enough for the group to give up on it; then it wakes, and may commit nothing.
        for name in islice(("metadata", "upload-premium", "upload-basic"), case.lab.size(1, 3)):
            with case.lab.stopped(name):
                time.sleep(13)


@scenario("term", "R19", "SIGTERM of each process of ours under load")
def term(case: Case) -> None:
    with case.load(40):
        for _ in range(case.lab.size(1, 5)):
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda victim: _term(case, victim), OURS[1:]))
            _term(case, OURS[0])


def _term(case: Case, victim: str) -> None:
    pid = case.lab.pid(victim)
    case.lab.signal(victim, signal.SIGTERM)
    gone = truth.wait_until(lambda: case.lab.pid(victim) != pid, DRAIN_SECONDS_MAX)
    if gone is None:
        case.complain("I8", victim, f"did not end within {DRAIN_SECONDS_MAX:.0f} s of SIGTERM")
    case.most("drain seconds", gone or DRAIN_SECONDS_MAX)
