"""Answers: the first announcement wins, and a handler's answer replaces "accepted"."""

import json
import secrets
from dataclasses import asdict, replace

import pytest

from hoist.adapters import redis_state
from hoist.domain.volatile import Answer

ACCEPTED = Answer("auth0|ada", "print-1", "accepted", trace={"traceparent": "00-1-2-01"})
READY = replace(ACCEPTED, state="ready", record={"name": "räksmörgås", "size": 5 * 1024**3})
REJECTED = replace(ACCEPTED, state="rejected", error={"code": "file_too_large"})


@pytest.fixture(params=["memory", "redis"])
def answers(request):
    return request.getfixturevalue(f"{request.param}_answers")


@pytest.fixture
def file():
    return secrets.token_hex(8)


def test_what_is_remembered_comes_back_whole_and_the_rest_is_left_out(answers, file):
    answers.put_many({file: READY, file + "-2": REJECTED})
    found = answers.get_many([file, "never", file + "-2"])
    assert found == {file: READY, file + "-2": REJECTED}


def test_nothing_asked_is_nothing_told(answers):
    answers.put_many({})
    assert answers.get_many([]) == {}


@pytest.mark.parametrize("final", [READY, REJECTED], ids=["ready", "rejected"])
def test_the_handlers_answer_replaces_accepted_and_never_the_other_way(answers, file, final):
    for answer in (ACCEPTED, final, ACCEPTED):
        answers.put_many({file: answer})
    assert answers.get_many([file]) == {file: final}


@pytest.mark.parametrize("state", ["accepted", "ready", "rejected"])
def test_another_announcement_never_replaces_a_grant(answers, file, state):
    answers.put_many({file: READY})
    answers.put_many({file: Answer("auth0|ada", "print-2", state)})
    assert answers.get_many([file]) == {file: READY}


@pytest.mark.parametrize("first", [ACCEPTED, REJECTED], ids=["accepted", "rejected"])
def test_another_announcement_that_is_only_accepted_replaces_nothing(answers, file, first):
    answers.put_many({file: first})
    answers.put_many({file: Answer("auth0|ada", "print-2", "accepted")})
    assert answers.get_many([file]) == {file: first}


@pytest.mark.parametrize("first", [ACCEPTED, REJECTED], ids=["accepted", "rejected"])
@pytest.mark.parametrize("state", ["ready", "rejected"])
def test_what_is_no_grant_gives_way_to_whatever_the_handler_says_next(answers, file, first, state):
    answers.put_many({file: first})
    later = Answer("auth0|ada", "print-2", state)
    answers.put_many({file: later})
    assert answers.get_many([file]) == {file: later}


def test_without_redis_nothing_is_remembered_and_nothing_fails(absent_redis, guard):
    answers = redis_state.RedisAnswers(absent_redis, guard)
    answers.put_many({"f": READY})
    assert answers.get_many(["f"]) == {}


def test_a_newer_releases_answer_is_read_without_what_is_unknown(redis, redis_answers, file):
    kept = json.dumps({**asdict(READY), "later": {"n": 1}})
    redis.set(f"hoist:answer:{file}", kept, ex=60)
    assert redis_answers.get_many([file]) == {file: READY}
    redis_answers.put_many({file: replace(READY, message_id="m-1")})
    assert redis_answers.get_many([file])[file].message_id == "m-1"
