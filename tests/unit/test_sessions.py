"""What a gateway tells of the sockets it holds."""

import re
import threading
from types import SimpleNamespace

from hoist import telemetry
from hoist.gateway.sessions import Session, Sessions


def told() -> float:
    found = re.search(r"^hoist_open_sockets (\S+)$", telemetry.metrics().decode(), re.M)
    assert found
    return float(found[1])


def test_the_metrics_tell_how_many_sockets_are_open():
    sessions = Sessions()
    first, second = (Session(None, SimpleNamespace(user_id="ada")) for _ in range(2))
    sessions.open(first)
    sessions.open(second)
    assert told() == 2
    sessions.close(first)
    sessions.close(first)
    assert told() == 1
    sessions.close(second)
    assert told() == 0


def test_one_who_does_not_hear_goodbye_keeps_it_from_nobody():
    sessions, is_heard = Sessions(), threading.Event()
    heard = []
    deaf = SimpleNamespace(close=lambda *_: is_heard.wait(60) or heard.append("too late"))

    def hear(code, reason):
        heard.append((code, reason))
        is_heard.set()

    for socket in (deaf, SimpleNamespace(close=hear), deaf):
        sessions.open(Session(socket, SimpleNamespace(user_id="ada")))
    sessions.close_all()
    assert is_heard.wait(30)
    assert heard == [(1001, "going away")]
