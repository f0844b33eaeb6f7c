"""The judge of a race sees every foul."""

from dataclasses import replace

import pytest

from loadtest.racers import CONFLICT, Answer, Round

WON = Answer("socket", "a", "most.txt", "f-1", "/k-1")
LOST = Answer("rest", "b", "other.txt", "f-1", code=CONFLICT)
SILENT = Answer("rest", "b", "most.txt", code="lost")


def wrong(*answers):
    return Round("r-1", answers).wrong()


def test_one_winner_and_conflicts_are_right_whoever_won():
    assert wrong(WON, WON, LOST, SILENT) == []
    swapped = replace(WON, name="other.txt"), replace(LOST, name="most.txt")
    assert wrong(*swapped) == []


@pytest.mark.parametrize(
    "foul",
    [
        replace(WON, file_id="f-2"),
        replace(WON, key="/k-2"),
        replace(WON, name="other.txt"),
        replace(WON, key="", code=CONFLICT),
        replace(WON, key="", code=""),
        replace(LOST, code="rate_limited"),
        replace(LOST, code=""),
    ],
    ids=["another id", "another place", "two winners", "conflict", "nothing", "limit", "silence"],
)
def test_a_foul_is_told(foul):
    assert wrong(WON, LOST, foul)


def test_a_round_without_a_winner_is_wrong_unless_the_winner_may_have_heard_nothing():
    assert wrong(LOST, LOST)
    assert wrong(LOST, SILENT) == []
