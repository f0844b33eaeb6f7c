"""Who may wait for a dependency that is slow, away, or back."""

from contextlib import ExitStack

import pytest

from hoist.adapters.circuit import AWAY_SECONDS, Circuit
from hoist.domain.errors import Busy


class Away(Exception):
    pass


class Hands:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def circuit(clock):
    return Circuit("the log", Away, waiting_max=4, of_one_max=2, clock=clock)


def fails(circuit, error=Away):
    with pytest.raises(error), circuit.turn("ada"):
        raise error


def answers(circuit, who="ada"):
    with circuit.turn(who):
        pass


def is_refused(circuit, who="ada"):
    try:
        answers(circuit, who)
    except Busy:
        return True
    return False


def test_one_user_leaves_room_for_others_and_all_have_a_bound(circuit):
    with ExitStack() as waiting:
        for who in ("ada", "ada", "grace"):
            waiting.enter_context(circuit.turn(who))
        assert is_refused(circuit, "ada")
        waiting.enter_context(circuit.turn("grace"))
        assert is_refused(circuit, "eve")
    for who in ("ada", "grace", "eve"):
        assert not is_refused(circuit, who)


def test_after_a_failure_nobody_waits_for_a_second(circuit, clock):
    assert not circuit.is_open
    fails(circuit)
    assert circuit.is_open
    assert is_refused(circuit)
    clock.now += AWAY_SECONDS / 2
    assert is_refused(circuit, "grace")


def test_then_one_tries_and_its_answer_lets_all_in(circuit, clock):
    fails(circuit)
    clock.now += AWAY_SECONDS
    with circuit.turn("ada"):
        assert is_refused(circuit, "grace")
    assert not is_refused(circuit, "grace")


def test_when_the_one_who_tries_fails_the_next_one_tries_a_second_later(circuit, clock):
    fails(circuit)
    clock.now += AWAY_SECONDS
    fails(circuit)
    assert is_refused(circuit)
    clock.now += AWAY_SECONDS
    assert not is_refused(circuit)


def test_what_is_no_sign_of_an_outage_opens_nothing_and_ends_a_try(circuit, clock):
    fails(circuit, ValueError)
    assert not is_refused(circuit)
    fails(circuit)
    clock.now += AWAY_SECONDS
    with pytest.raises(KeyError), circuit.turn("ada"):
        raise KeyError
    clock.now += AWAY_SECONDS
    assert not is_refused(circuit)


def test_a_failure_of_who_asked_before_the_last_answer_is_old_news(circuit, clock):
    with pytest.raises(Away), circuit.turn("ada"):
        clock.now += 5
        answers(circuit, "grace")
        raise Away
    assert not is_refused(circuit)


def test_who_was_refused_by_another_circuit_says_nothing_of_this_one(circuit, clock):
    other = Circuit("the log", Away, clock=clock)
    fails(other)
    with pytest.raises(Busy), circuit.turn("ada"), other.turn("ada"):
        pass
    assert not circuit.is_open
