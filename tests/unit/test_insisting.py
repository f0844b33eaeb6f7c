"""A persona that must have an answer asks again for as long as policy refuses."""

import importlib
import os

import pytest

# Locust would change the standard library for all tests of this process.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
persona = importlib.import_module("loadtest.persona")
del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

ANSWER = (200, {"limits": {}}, {})


class Told:
    """In the place of a persona and its uploads: it is told these, one after the other."""

    def __init__(self, *answers):
        self._answers, self.uploads, self.failures = list(answers), self, []

    def _ask(self, method, path, expected, **how):
        return self._answers.pop(0)

    def failed(self, name, seconds, why):
        self.failures.append(why)
        return persona.Failed(why)


@pytest.fixture
def slept(monkeypatch):
    """How long it slept each time; the clock goes on by that."""
    slept = []
    monkeypatch.setattr(persona, "sleep", slept.append)
    monkeypatch.setattr(persona.time, "monotonic", lambda: 1000.0 + sum(slept))
    return slept


def insist(told):
    return persona.Persona.insist(told, "GET", "/me")


def test_what_policy_tells_to_wait_is_waited_and_then_asked_again(slept):
    assert insist(Told(2.0, 3.0, ANSWER)) == ANSWER
    assert slept == [2.0, 3.0]


def test_a_refusal_that_outlasts_a_minute_fails_and_is_told(slept):
    told = Told(30.0, 29.0, 2.0)
    with pytest.raises(persona.Failed):
        insist(told)
    assert (slept, len(told.failures)) == ([30.0, 29.0], 1)


def test_an_answer_that_is_a_failure_already_is_not_asked_for_again(slept):
    told = Told(None, ANSWER)
    with pytest.raises(persona.Failed):
        insist(told)
    assert (slept, told.failures) == ([], [])


def test_a_call_waits_and_has_no_answer(slept):
    assert persona.Persona.call(Told(2.0), "GET", "/me") is None
    assert slept == [2.0]
