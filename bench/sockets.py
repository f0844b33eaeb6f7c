"""A gateway beside a bare flask-sock echo server, each one gunicorn process with the gevent worker.

Messages: 16 sockets send pings, eight under way each, and get pongs or their echo. Connects: 16
clients open sockets one after another, each with a token of its own, whose RS256 signature both
sides verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bench.floor import Floor, running
from bench.pairs import Side, interleaved, measure, told
from bench.row import Row
from bench.target import Target
from bench.together import each, together
from bench.wire import Wire, frame
from loadtest.people import User

SOCKETS, UNDER_WAY, MESSAGES, CONNECTS = 16, 8, 500, 160
PING = frame(b'{"action":"ping"}')
PER_SECOND_MIN = 1_000  # twice API Gateway's 500 new connections a second


def messages(target: Target) -> list[Row]:
    rounds = target.count(MESSAGES) // UNDER_WAY + 1
    users = target.users(SOCKETS, uploads=False)

    def side(url: str, floor: Floor | None) -> Side:
        wires = [Wire(url + "/ws", user.token) for user in users]
        works = [partial(pings, wire, rounds) for wire in wires]
        done = measure(target, SOCKETS * rounds * UNDER_WAY, lambda: each(works), floor)
        for wire in wires:
            wire.close()
        return done

    with running(target.environment, "echo") as floor:
        pairs = interleaved(target, lambda: side(target.url, None), lambda: side(floor.url, floor))
    ratios = [one.per_second / other.per_second for one, other in pairs]
    return [Row("messages", "gateway / bare echo, messages", ratios, 0.8, detail=told(pairs))]


def connects(target: Target) -> list[Row]:
    count = target.count(CONNECTS, 2)
    again = target.users(count, uploads=False)

    def ours() -> Side:
        fresh = target.users(count, uploads=False)  # no token was seen before
        return measure(target, count, lambda: _connect(target.url, fresh))

    with running(target.environment, "echo") as floor:

        def bare() -> Side:
            return measure(target, count, lambda: _connect(floor.url, again), floor)

        pairs = interleaved(target, ours, bare)
    ratios = [one.per_second / other.per_second for one, other in pairs]
    speeds = [one.per_second for one, _ in pairs]
    return [
        Row(
            "connects", "gateway / bare echo, connects with RS256", ratios, 0.6, detail=told(pairs)
        ),
        Row("connects/s", "connects a second of one gateway", speeds, PER_SECOND_MIN, unit="/s"),
    ]


def pings(wire: Wire, rounds: int) -> None:
    for _ in range(rounds):
        wire.socket.sendall(PING * UNDER_WAY)
        for _ in range(UNDER_WAY):
            wire.receive()


def _connect(url: str, users: Sequence[User]) -> None:
    left = iter(users)
    works = [lambda: Wire(url + "/ws", next(left).token).close()] * min(SOCKETS, len(users))
    together(works, len(users))
