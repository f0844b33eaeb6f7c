"""64 racers on one messageId: one file wins, once, and everybody hears the same."""

import time

import httpx

from loadtest.racers import BODIES, race
from tests.e2e.raw_client import PATIENCE_SECONDS, list_all, rest

ROUNDS, RACERS = 4, 64


def test_of_64_racers_on_one_message_id_one_file_wins_and_is_charged_once(stack):
    token = stack.new_user("ada")
    rounds = list(race(stack.urls, token, ROUNDS, RACERS))
    assert [told for one in rounds for told in one.wrong()] == []
    for one in rounds:
        assert len(one.answers) == RACERS
        assert not [answer for answer in one.answers if answer.code == "lost"]
        assert {(answer.way, answer.gateway) for answer in one.answers} == {
            (way, url) for way in ("socket", "rest") for url in stack.urls
        }
    winners = {one.grants[0].file_id: one.grants[0].name for one in rounds}
    assert len(winners) == ROUNDS
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(files := list_all(stack.url, token)) < ROUNDS:
        assert time.monotonic() < deadline, files
    assert {file["fileId"]: file["name"] for file in files} == winners
    assert len(files) == ROUNDS
    use = httpx.get(f"{stack.url}/me", headers=rest(token), timeout=30).json()["use"]
    charged = sum(len(BODIES[name]) for name in winners.values())
    assert (use["storedBytes"], use["reservedBytes"]) == (charged, 0)
