"""What a socket that asks for what it missed is told, and that this ends."""

from types import SimpleNamespace

import pytest

from hoist.domain.model import Principal
from hoist.gateway.actions import Actions

PAGE = 100
ADA = Principal("ada", "basic", (), 4_000_000_000)


class Session:
    """Takes *taken* messages, then is cut."""

    principal = ADA

    def __init__(self, taken=10_000):
        self.sent, self.drained, self.taken = [], 0, taken

    def send(self, body):
        if len(self.sent) >= self.taken:
            return False
        self.sent.append(body)
        return True

    def drain(self):
        self.drained += 1


def asks(session, numbers):
    """A resume from 0 by a user with events of these *numbers*, a page at a time."""
    looks = []

    def since(user_id, n):
        looks.append(n)
        assert len(looks) < 50, "it never ends"
        return [{"event": "x", "n": each} for each in numbers if each > n][:PAGE]

    services = SimpleNamespace(events=SimpleNamespace(since=since), clock=lambda: 1)
    guard = SimpleNamespace(take=lambda principal, count: None)
    Actions(services, session, guard, None).run({"action": "resume", "since": 0}, "1" * 32)
    return looks


def test_everything_is_told_in_order_and_sent_page_by_page():
    session = Session()
    asks(session, range(1, 251))
    assert [body["n"] for body in session.sent[:-1]] == list(range(1, 251))
    assert (session.sent[-1]["event"], session.sent[-1]["n"]) == ("resume.done", 250)
    assert session.drained == 1 + 3  # what came before it, and each page


def test_events_that_share_a_number_do_not_keep_it_busy_for_ever():
    session = Session()

    def since(user_id, n):
        return [{"event": "x", "n": 5_999}] * PAGE  # it always begins behind the last number

    services = SimpleNamespace(events=SimpleNamespace(since=since), clock=lambda: 1)
    guard = SimpleNamespace(take=lambda principal, count: None)
    actions = Actions(services, session, guard, None)
    actions.run({"action": "resume", "since": 0}, "1" * 32)
    assert session.sent[-1]["event"] == "resume.done"
    assert len(session.sent) <= 2 * PAGE + 1


@pytest.mark.parametrize("taken", [0, 1, 150])
def test_nothing_more_is_read_for_a_socket_that_was_cut(taken):
    assert len(asks(Session(taken), range(1, 5_000))) <= taken // PAGE + 1
