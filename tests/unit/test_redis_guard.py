"""While Redis is away nobody waits for it, but one who tries again."""

import threading

import pytest
import redis

from hoist.adapters import redis_client
from hoist.adapters.redis_client import AWAY_SECONDS, Guard


@pytest.fixture
def now(monkeypatch):
    """What time it is, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(redis_client.time, "monotonic", lambda: now[0])
    return now


def away():
    raise redis.TimeoutError("nothing came")


def test_after_a_second_one_caller_tries_and_the_others_go_on_without(now):
    guard = Guard()
    assert guard(away, "without") == "without"
    assert guard(lambda: "asked", "without") == "without"
    now[0] += AWAY_SECONDS
    meanwhile, is_asked, answer = [], threading.Event(), threading.Event()

    def slow():
        is_asked.set()
        assert answer.wait(10)
        return "asked"

    trial = threading.Thread(target=lambda: meanwhile.append(guard(slow, "without")))
    trial.start()
    assert is_asked.wait(10)
    assert [guard(lambda: "asked", "without") for _ in range(3)] == ["without"] * 3
    answer.set()
    trial.join()
    assert meanwhile == ["asked"]
    assert guard(lambda: "asked", "without") == "asked"


def test_a_trial_that_fails_leaves_it_away_for_another_second(now):
    guard = Guard()
    guard(away, "without")
    now[0] += AWAY_SECONDS
    guard(away, "without")
    assert guard(lambda: "asked", "without") == "without"
    now[0] += AWAY_SECONDS
    assert guard(lambda: "asked", "without") == "asked"


def test_a_refused_command_says_nothing_of_the_next(now):
    def refused():
        raise redis.ResponseError("OOM")

    guard = Guard()
    assert guard(refused, "without") == "without"
    assert guard(lambda: "asked", "without") == "asked"


def test_a_bug_of_the_one_who_tries_lets_the_next_one_try(now):
    guard = Guard()
    guard(away, "without")
    now[0] += AWAY_SECONDS
    with pytest.raises(ZeroDivisionError):
        guard(lambda: 1 / 0, "without")
    assert guard(lambda: "asked", "without") == "asked"


def test_answers_come_in_one_form_whatever_the_address_says():
    client = redis_client.client("redis://127.0.0.1:1/0?protocol=2")
    assert client.connection_pool.make_connection().protocol == 3
