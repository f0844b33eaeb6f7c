"""10,000 sockets on one gateway that say next to nothing, half of them offering deflate.

They answer the server's pings, and send a frame every five minutes, as clients that want to stay
must: who is silent for ten is sent away, as at API Gateway. At the end each must answer once more.
"""

from __future__ import annotations

import os
import resource
import selectors
import time
from collections.abc import Sequence
from functools import partial

from bench.row import Row
from bench.target import Target
from bench.together import each
from bench.wire import Closed, Wire, frame

SOCKETS, USERS, AT_ONCE = 10_000, 100, 8
DESCRIPTORS, KEEP_SECONDS = 65_536, 300.0
PING = frame(b'{"action":"ping"}')


def run(target: Target) -> list[Row]:
    count = target.count(SOCKETS, 4)
    gateway = target.process("gateway-a")
    for pid in (os.getpid(), gateway.pid):
        _allow(pid)
    users = target.users(min(USERS, count), uploads=False)
    before = gateway.memory_info().rss

    def some(first: int) -> list[Wire]:
        return [
            Wire(target.url + "/ws", users[n % len(users)].token, deflate=n % 2 == 1)
            for n in range(first, count, AT_ONCE)
        ]

    parts = each([partial(some, first) for first in range(AT_ONCE)])
    wires = [wire for part in parts for wire in part]
    try:
        lost = _hold(wires, target.minutes * 60)
        each_kb = (gateway.memory_info().rss - before) / count / 1024
        lost += _silent(wires)
    finally:
        for wire in wires:
            wire.close()
    held = f"{count} sockets for {target.minutes:g} min"
    return [
        Row("idle-lost", f"sockets lost of {held}", [lost], 0, is_most=True),
        Row("idle-memory", f"memory of a gateway with {held}", [each_kb], 60, True, " KB each"),
    ]


def _allow(pid: int) -> None:
    """More open files, where we may: a gateway needs two for each socket."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (PermissionError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))


def _hold(wires: Sequence[Wire], seconds: float) -> int:
    """Answer pings for so long; how many were lost."""
    lost: set[Wire] = set()
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire.socket, selectors.EVENT_READ, wire)
        ends, kept = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < ends:
            if time.monotonic() > kept + KEEP_SECONDS:
                kept = time.monotonic()
                for wire in set(wires) - lost:
                    wire.socket.sendall(PING)
            for key, _ in selector.select(timeout=min(1.0, seconds)):
                try:
                    key.data.fill()
                    while key.data.buffered():
                        pass
                except (Closed, OSError):
                    selector.unregister(key.data.socket)
                    lost.add(key.data)
    return len(lost)


def _silent(wires: Sequence[Wire]) -> int:
    """How many of those that are still open do not answer a frame."""
    silent = 0
    for wire in wires:
        try:
            wire.socket.sendall(PING)
            wire.receive()
        except (Closed, OSError):
            silent += wire.socket.fileno() >= 0
    return silent
