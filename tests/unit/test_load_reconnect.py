"""A reconnect of thousands is judged: who restarted, and whose socket is open again, and when."""

import time

import gevent
import pytest

from loadtest import line, reconnect
from loadtest.counts import Counts
from loadtest.line import Cut, Line
from loadtest.people import User

ADA = User("ada", "token", "basic")


class Socket:
    def shutdown(self):
        pass


class Reopens(Line):
    """Its gateway takes it, unless it is told to be away."""

    is_away = False

    def _try(self, url):
        if self.is_away:
            raise Cut("refused")
        return Socket()


class Person:
    def __init__(self):
        self.line, self.failures = Reopens(["http://a"], ADA), 0
        self.line.open()

    def come_back(self):
        try:
            self.line.open()
        except Cut:
            self.failures += 1


@pytest.fixture
def sockets(monkeypatch):
    counts = Counts()
    monkeypatch.setattr(reconnect, "SOCKETS", counts)
    return counts


def test_a_restart_and_every_socket_back_is_good():
    assert reconnect.wrong(7, 8, 5, 5) == []


@pytest.mark.parametrize(
    ("before", "now", "dropped", "back", "told"),
    [
        (None, 8, 5, 5, "nothing was restarted"),
        (7, None, 5, 5, "does not run again"),
        (7, 7, 5, 5, "is process 7 all the time"),
        (7, 8, 0, 0, "no socket was open"),
        (7, 8, 5, 4, "of 5 sockets that were dropped, 4 came back"),
    ],
)
def test_what_did_not_recover_is_told(before, now, dropped, back, told):
    [sentence] = reconnect.wrong(before, now, dropped, back)
    assert told in sentence


def test_a_shape_that_never_struck_has_proven_nothing(sockets):
    told = reconnect.Restart().complaints()
    assert len(told) == 2


def test_all_who_were_dropped_are_counted_when_they_are_back(sockets):
    people = [Person() for _ in range(3)]
    people[2].line.drop()  # was away already
    reconnect.drop_all(people, 0.05)
    assert not any(person.line.is_open for person in people)
    gevent.sleep(0.2)
    assert dict(sockets.own) == {"dropped": 2, "back": 2}


def test_who_cannot_come_back_is_not_counted_as_back(sockets):
    people = [Person(), Person()]
    people[0].line.is_away = True
    reconnect.drop_all(people, 0.0)
    gevent.sleep(0.1)
    assert (sockets.own["dropped"], sockets.own["back"]) == (2, 1)
    assert people[0].failures == 1


def test_who_is_in_the_middle_of_a_request_keeps_to_the_jitter_too(sockets, monkeypatch):
    monkeypatch.setattr(reconnect.random, "uniform", lambda least, most: most)
    person = Person()
    reconnect.drop_all([person], 0.2)
    began = time.monotonic()
    seconds = person.line.open()
    assert time.monotonic() - began >= 0.2
    assert seconds is not None
    assert seconds < 0.2  # its own time, without the pause
    gevent.sleep(0.05)
    assert sockets.own["back"] == 1


def test_of_two_who_wait_for_a_socket_one_opens_it():
    person = Person()
    person.line.lose(0.05)
    both = [gevent.spawn(person.line.open) for _ in range(2)]
    told = [one.get(timeout=5) for one in both]
    assert told.count(None) == 1
    assert person.line.opened == 2


def test_what_other_processes_counted_is_counted_once():
    counts = Counts()
    counts.own["back"] += 1
    counts.told("worker", {"back": 2})
    counts.told("worker", {"back": 3, "dropped": 3})
    assert (counts.count("back"), counts.count("dropped")) == (4, 3)


def test_nobody_waits_who_lost_nothing():
    person = Person()
    person.line.drop()
    began = time.monotonic()
    person.line.open()
    assert time.monotonic() - began < line.PAUSE_SECONDS[0]
