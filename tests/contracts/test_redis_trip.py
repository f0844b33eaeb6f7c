"""Several commands of Redis, sent together: each answer is for who asked."""

import pytest
import redis as redis_py

from hoist.adapters.redis_client import in_one_trip


def test_answers_come_in_the_order_of_the_commands(redis, user):
    commands = [("SET", user, "ö", "EX", 60), ("GET", user), ("MGET", user, user + "0")]
    assert in_one_trip(redis, commands) == [b"OK", "ö".encode(), ["ö".encode(), None]]
    assert in_one_trip(redis, []) == []


def test_a_refused_command_is_told_once_the_others_are_done(redis, user):
    commands = [("SET", user, "1"), ("LPUSH", user, "x"), ("INCR", user)]
    with pytest.raises(redis_py.ResponseError, match="WRONGTYPE"):
        in_one_trip(redis, commands)
    assert in_one_trip(redis, [("GETDEL", user)]) == [b"2"]


def test_an_answer_that_came_too_late_is_nobodys(redis, user):
    in_one_trip(redis, [("SET", user, "kept", "EX", 60)])
    in_one_trip(redis, [("CLIENT", "PAUSE", 60_000, "WRITE")])
    try:
        with pytest.raises(redis_py.TimeoutError):
            in_one_trip(redis, [("SET", user + "0", "late", "EX", 60)])
        assert in_one_trip(redis, [("GET", user)]) == [b"kept"]
    finally:
        in_one_trip(redis, [("CLIENT", "UNPAUSE")])
