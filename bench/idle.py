"""10,000 sockets on one gateway that say next to nothing, half of them offering deflate.

They answer the server's pings, and send a frame every five minutes, as clients that want to stay
must: who is silent for ten is sent away, as at API Gateway. At the end each must answer once more.
"""

from __future__ import annotations

import os
import resource
import selectors
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial

from bench.row import Row
from bench.target import Target, cpu_seconds
from bench.together import each
from bench.wire import Closed, Wire, frame

SOCKETS, USERS, AT_ONCE, MINUTES = 10_000, 100, 8, 10
DESCRIPTORS, KEEP_SECONDS = 65_536, 300.0
PING = frame(b'{"action":"ping"}')


def run(target: Target) -> list[Row]:
    count = target.count(SOCKETS, 4)
    gateway = target.process("gateway-b")  # no other bench has made it grow
    for pid in (os.getpid(), gateway.pid):
        _allow(pid)
    users = target.users(min(USERS, count), uploads=False)
    before = gateway.memory_info().rss

    def some(first: int) -> list[Wire]:
        return [
            Wire(target.urls[1] + "/ws", users[n % len(users)].token, deflate=n % 2 == 1)
            for n in range(first, count, AT_ONCE)
        ]

    parts = each([partial(some, first) for first in range(AT_ONCE)])
    wires = [wire for part in parts for wire in part]
    try:
        used = cpu_seconds(gateway)
        lost = _hold(wires, target.minutes * 60)
        used = cpu_seconds(gateway) - used
        each_kb = (gateway.memory_info().rss - before) / count / 1024
        lost |= _silent(set(wires) - lost)
    finally:
        for wire in wires:
            wire.close()
    held = f"{count} sockets for {target.minutes:g} min"
    goal = 0 if target.minutes >= MINUTES else None  # it says: in ten minutes
    detail = f"CPU of the gateway {used * 1e3 / target.minutes / 60:.0f} ms a second"
    return [
        Row("idle-lost", f"sockets lost of {held}", [len(lost)], goal, True, detail=detail),
        Row("idle-memory", f"memory of a gateway with {held}", [each_kb], 60, True, " KB each"),
    ]


def _allow(pid: int) -> None:
    """More open files, where we may: a gateway needs two for each socket."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (PermissionError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))


def _hold(wires: Sequence[Wire], seconds: float) -> set[Wire]:
    """Answer pings for so long; which were lost."""
    lost: set[Wire] = set()
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire.socket, selectors.EVENT_READ, wire)
        ends, kept = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < ends:
            if time.monotonic() > kept + KEEP_SECONDS:
                kept = time.monotonic()
                for wire in set(wires) - lost:
                    with suppress(OSError):  # it is read as lost below
                        wire.socket.sendall(PING)
            for key, _ in selector.select(timeout=min(1.0, seconds)):
                try:
                    key.data.fill()
                    while key.data.buffered():
                        pass
                except (Closed, OSError):
                    selector.unregister(key.data.socket)
                    lost.add(key.data)
    return lost


def _silent(wires: Collection[Wire]) -> set[Wire]:
    """Those that do not answer a frame."""
    silent = set()
    for wire in wires:
        try:
            wire.socket.sendall(PING)
            wire.receive()
        except (Closed, OSError):
            silent.add(wire)
    return silent
