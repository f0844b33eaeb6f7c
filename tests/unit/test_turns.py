"""Frames of one socket that came together: what is done at once, and in which order it is told."""

import json
import time
from types import SimpleNamespace

import pytest

from hoist import telemetry
from hoist.domain.errors import Busy
from hoist.domain.model import Principal, file_id
from hoist.domain.ports import Position
from hoist.gateway.actions import TOGETHER, Actions
from hoist.gateway.flood import FloodGuard
from hoist.gateway.sessions import Sessions
from hoist.gateway.socket import ConnectionClosed
from hoist.gateway.websocket import TURN_FRAMES, SocketLife
from hoist.pipeline.ingest import Accepted

PING = {"action": "ping"}


def upload(message_id):
    return {"action": "upload", "messageId": message_id, "file": {"name": "a.txt", "size": 3}}


class Socket:
    """Its peer sent all of *frames* at once, and went."""

    def __init__(self, frames):
        self.frames = [frame if isinstance(frame, str) else json.dumps(frame) for frame in frames]
        self.writes = []

    def accept(self):
        pass

    def receive(self, timeout=None):
        if not self.frames:
            raise ConnectionClosed
        return self.frames.pop(0)

    @property
    def is_behind(self):
        return bool(self.frames)

    def send(self, *texts):
        self.writes.append([json.loads(text) for text in texts])

    def close(self, *_):
        pass

    @property
    def told(self):
        """What each event is, and about which request."""
        bodies = [body for write in self.writes for body in write]
        return [f"{body['event']} {body.get('messageId', '')}".strip() for body in bodies]


class Gateway:
    def __init__(self):
        self.went = []  # message ids, each time that the log was asked
        self.traces = []
        self.fails = None
        policy = SimpleNamespace(tier=lambda _: SimpleNamespace(requests_per_second=1000))
        self.guard = FloodGuard(lambda: policy)

    def ingest(self, principal, asked, connection_id):
        self.went.append([request.message_id for request, _ in asked])
        self.traces += [trace_id for _, trace_id in asked]
        if self.fails:
            raise self.fails
        return [
            Accepted(
                file_id(principal.user_id, request.message_id),
                Position("t", 0, number),
                {"event": "upload.accepted", "messageId": request.message_id, "log": {}},
            )
            for number, (request, _) in enumerate(asked)
        ]

    def serve(self, *frames):
        def nothing(*_):
            pass

        services = SimpleNamespace(
            settings=SimpleNamespace(
                gateway_url="http://here", socket_idle_seconds=600, socket_age_seconds=7200
            ),
            clock=lambda: time.time_ns() // 1_000_000,
            feed=SimpleNamespace(add=nothing, remove=nothing),
            connections=SimpleNamespace(add=nothing, remove=nothing),
            ingest=self.ingest,
        )
        socket = Socket(frames)
        life = SocketLife(services, Sessions(), self.guard, None)
        ada = Principal("ada", "basic", (), int(time.time()) + 3600)
        life(socket, ada, SimpleNamespace(remote_addr="", headers={}))
        return socket


@pytest.fixture
def gateway():
    return Gateway()


def test_uploads_that_came_together_go_to_the_log_together(gateway):
    names = [f"m-{number}" for number in range(3 * TURN_FRAMES)]
    socket = gateway.serve(*map(upload, names))
    assert gateway.went == [names]
    assert socket.told == [f"upload.accepted {name}" for name in names]
    assert len(set(gateway.traces)) == len(names)


def test_so_many_of_them_at_a_time(gateway):
    names = [f"m-{number}" for number in range(2 * TOGETHER + 3)]
    socket = gateway.serve(*map(upload, names))
    assert [len(each) for each in gateway.went] == [TOGETHER, TOGETHER, 3]
    assert socket.told == [f"upload.accepted {name}" for name in names]


@pytest.mark.parametrize(
    ("frame", "event"),
    [(PING, "pong"), ({"action": "fly"}, "error"), ("{", "error"), ({"action": "upload"}, "error")],
    ids=str,
)
def test_whatever_comes_between_them_is_answered_in_its_turn(gateway, frame, event):
    socket = gateway.serve(upload("m-1"), upload("m-2"), frame, upload("m-3"))
    assert gateway.went == [["m-1", "m-2"], ["m-3"]]
    accepted = [f"upload.accepted m-{number}" for number in (1, 2, 3)]
    assert socket.told == [*accepted[:2], event, accepted[2]]


@pytest.mark.parametrize(
    ("fails", "code"), [(Busy("away"), "busy"), (ZeroDivisionError(), "internal")], ids=str
)
def test_each_hears_that_they_were_not_accepted(gateway, fails, code):
    gateway.fails = fails
    socket = gateway.serve(upload("m-1"), upload("m-2"), PING)
    assert socket.told == ["error m-1", "error m-2", "pong"]
    told = [body for write in socket.writes for body in write]
    assert [body["error"]["code"] for body in told[:2]] == [code, code]
    assert told[0]["traceparent"].split("-")[1] == gateway.traces[0]
    assert told[1]["traceparent"].split("-")[1] == gateway.traces[1]


@pytest.mark.parametrize("is_bug", [False, True])
def test_what_is_no_upload_keeps_its_own_trace_after_those_before_it(gateway, monkeypatch, is_bug):
    bound = []

    def sees(self, frame, trace_id):
        bound.append((telemetry._current.get(), trace_id))
        if is_bug:
            raise ZeroDivisionError

    monkeypatch.setattr(Actions, "_ping", sees)
    socket = gateway.serve(upload("m-1"), PING, upload("m-2"))
    assert gateway.went == [["m-1"], ["m-2"]]
    [(found, own)] = bound
    assert found == own != gateway.traces[0]
    between = ["error"] if is_bug else []
    assert socket.told == ["upload.accepted m-1", *between, "upload.accepted m-2"]


def test_who_asks_too_fast_hears_so_after_what_was_accepted(gateway):
    policy = SimpleNamespace(tier=lambda _: SimpleNamespace(requests_per_second=1))
    gateway.guard = FloodGuard(lambda: policy, sleep=lambda _: None)
    socket = gateway.serve(upload("m-1"), upload("m-2"), upload("m-3"))
    assert socket.told == ["upload.accepted m-1", "upload.accepted m-2", "error m-3"]


def test_pongs_do_not_wait_for_the_end_of_a_flood(gateway):
    socket = gateway.serve(*[PING] * (3 * TURN_FRAMES))
    assert [len(write) for write in socket.writes] == [TURN_FRAMES] * 3
