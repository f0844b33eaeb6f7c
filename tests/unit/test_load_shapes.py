"""How many users each shape wants at each moment of a run."""

import importlib
import os
from argparse import Namespace
from dataclasses import dataclass, field

import pytest

# Locust would change the standard library for all tests of this process.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
shapes = importlib.import_module("loadtest.shapes")
del os.environ["LOCUST_SKIP_MONKEY_PATCH"]  # a load that another test starts needs the change

USERS, SECONDS = 40, 90.0


@dataclass
class Environment:
    parsed_options: Namespace


@dataclass
class Leader:
    """A runner, as far as shapes know one."""

    environment: Environment
    told: list = field(default_factory=list)

    def send_message(self, name, data):
        self.told.append(name)


@pytest.fixture
def run(monkeypatch):
    """Begins a run of this shape; what it gives sets the time that has passed, and asks."""
    now = [1000.0]
    monkeypatch.setattr(shapes.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(shapes.time, "monotonic", lambda: now[0])

    def begin(shape, **chosen):
        options = {"num_users": USERS, "run_time": SECONDS, "spawn_rate": 4.0}
        options |= {"base_share": 0.2, "steps": 5}
        one = shape()
        one.runner = Leader(Environment(Namespace(**options | chosen)))
        one.reset_time()
        began = now[0]

        def at(seconds):
            now[0] = began + seconds
            return one.tick()

        at.shape = one
        return at

    return begin


def users(at, *moments):
    return [at(moment)[0] for moment in moments]


def test_a_ramp_rises_in_ten_steps_until_half_time_and_stays(run):
    at = run(shapes.Ramp)
    rising = users(at, *(number * SECONDS / 2 / 10 + 0.1 for number in range(10)))
    assert rising == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]
    assert users(at, 45.1, 89.9) == [40, 40]


def test_a_spike_is_all_at_once_for_the_middle_third(run):
    at = run(shapes.Spike)
    assert users(at, 0, 29.9, 30.1, 59.9, 60.1, 89.9) == [8, 8, 40, 40, 8, 8]
    assert at(45)[1] == USERS  # a second: all of them


def test_a_spikes_base_is_the_share_that_was_chosen_and_never_nobody(run):
    assert users(run(shapes.Spike, base_share=0.5), 1) == [20]
    assert users(run(shapes.Spike, base_share=0.0), 1) == [1]


def test_steps_are_equal_and_as_many_as_chosen(run):
    at = run(shapes.Steps)
    assert users(at, 0, 17.9, 18.1, 36.1, 54.1, 72.1, 89.9) == [8, 8, 16, 24, 32, 40, 40]
    assert users(run(shapes.Steps, steps=2), 0, 44.9, 45.1) == [20, 20, 40]


def test_no_steps_are_one(run):
    assert users(run(shapes.Steps, steps=0), 0, 89.9) == [40, 40]


def test_a_soak_is_all_of_them_all_the_time(run):
    assert users(run(shapes.Soak), 0, 45, 89.9) == [40, 40, 40]


@pytest.mark.parametrize("shape", [shapes.Ramp, shapes.Spike, shapes.Steps, shapes.Soak])
def test_a_shape_ends_when_its_time_is_over_and_keeps_its_pace(shape, run):
    at = run(shape)
    assert at(90) is None
    assert at(10)[1] == (USERS if shape is shapes.Spike else 4.0)


def test_what_was_not_chosen_has_a_default(run):
    at = run(shapes.Soak, num_users=None, run_time=None, spawn_rate=None)
    assert at(shapes.RUN_SECONDS - 0.1) == (shapes.USERS, shapes.PER_SECOND)
    assert at(shapes.RUN_SECONDS) is None


def test_the_sockets_die_once_at_half_time(run, monkeypatch):
    struck = []
    monkeypatch.setattr(shapes.ThunderingReconnect, "strike", struck.append, raising=False)
    at = run(shapes.ThunderingReconnect)
    assert users(at, 44.9) == [40]
    assert not struck
    assert users(at, 45, 46, 89.9) == [40, 40, 40]
    assert struck == [at.shape.runner]
    at.shape.reset_time()
    at.shape.start_time -= 45
    at.shape.tick()
    assert len(struck) == 2


@pytest.fixture
def crowd(monkeypatch):
    crowd = type(shapes.CROWD)()
    monkeypatch.setattr(shapes, "CROWD", crowd)
    return crowd


def test_a_crowd_uploads_once_the_last_one_of_every_process_is_connected(run, crowd):
    at = run(shapes.CrowdHolds)
    crowd.own["connected"] = 30
    crowd.told("worker", {"connected": 9})
    assert users(at, 10) == [40]
    assert crowd.opened_at is None
    crowd.told("worker", {"connected": 10})
    assert users(at, 11, 12) == [40, 40]
    assert crowd.opened_at is not None
    assert at.shape.runner.told == ["crowd-open"]


def test_a_crowd_stays_until_the_last_is_done_and_a_little_longer(run, crowd):
    at = run(shapes.CrowdHolds)
    crowd.own["connected"], crowd.own["done"] = 40, 39
    assert users(at, 20, 60) == [40, 40]
    crowd.own["done"] = 40
    assert users(at, 61, 61 + shapes.AFTERWARDS_SECONDS) == [40, 40]
    assert at(61.1 + shapes.AFTERWARDS_SECONDS) is None


def test_a_crowd_that_is_never_done_ends_with_its_time(run, crowd):
    assert run(shapes.CrowdHolds)(90) is None


def test_another_run_of_the_crowd_waits_anew(run, crowd):
    at = run(shapes.CrowdHolds)
    crowd.own["connected"] = crowd.own["done"] = 40
    assert users(at, 5) == [40]
    at.shape.reset_time()
    assert users(at, 5 + shapes.AFTERWARDS_SECONDS + 1) == [40]
