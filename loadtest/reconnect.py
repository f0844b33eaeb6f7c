"""The thunder of a reconnect: a gateway restarts, every socket dies, and every one must come back.

That is no success before it is proven: the gateway runs as another process, and as many sockets
are open again as were dropped.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import gevent

from loadtest import place
from loadtest.counts import Counts
from loadtest.presence import Presence

GATEWAY = "gateway-a"
RESTART_SECONDS_MAX = 60.0

SOCKETS = Counts()
"""How many were ``dropped``, and how many of them are ``back``."""


class Restart:
    """One restart of a gateway of the local stack."""

    def __init__(self) -> None:
        self.is_begun = False
        self._before: int | None = None

    def begin(self) -> None:
        """Its process is told to end; its supervisor starts another."""
        self.is_begun, self._before = True, gateway_pid()
        if self._before:
            with suppress(ProcessLookupError):
                os.kill(self._before, signal.SIGTERM)

    def complaints(self) -> list[str]:
        """What was not as it must be, once a minute was enough for the gateway to be back."""
        deadline = time.monotonic() + RESTART_SECONDS_MAX
        while (now := gateway_pid()) in (None, self._before) and time.monotonic() < deadline:
            if self._before is None:
                break
            gevent.sleep(0.5)
        return wrong(self._before, now, SOCKETS.count("dropped"), SOCKETS.count("back"))


def wrong(before: int | None, now: int | None, dropped: int, back: int) -> list[str]:
    """What the gateway's process ids, from *before* the restart and of *now*, and the sockets say.

    The empty list only when it was restarted and all sockets, at least one, are back.
    """
    told = []
    if before is None:
        told.append(f"no {GATEWAY} ran here: nothing was restarted")
    elif now is None:
        told.append(f"{GATEWAY} was stopped, and does not run again")
    elif now == before:
        told.append(f"{GATEWAY} was not restarted: it is process {before} all the time")
    if not dropped:
        told.append("no socket was open to be dropped")
    if back != dropped:
        told.append(f"of {dropped} sockets that were dropped, {back} came back")
    return told


def gateway_pid() -> int | None:
    """Of the local stack's ``GATEWAY``; None while it is not ready."""
    for row in place.stack().status():
        if row["name"] == GATEWAY and row["state"] == "ready" and row["pid"]:
            return int(row["pid"])
    return None


def drop_all(everybody: Iterable[Presence], jitter_seconds: float) -> None:
    """End every open socket at once; each is opened again within *jitter_seconds*, not before."""
    for one in list(everybody):
        if one.line.is_open:
            SOCKETS.own["dropped"] += 1
            one.line.lose(random.uniform(0, jitter_seconds))
            gevent.spawn(_return, one, one.line.opened)


def _return(one: Presence, opened: int) -> None:
    one.come_back()  # or its request has opened it already
    SOCKETS.own["back"] += one.line.opened > opened
