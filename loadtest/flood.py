"""Frames sent faster than a tier allows, until what comes back proves something.

The gateway lets each user have some frames a second, and a burst of two seconds of them. A flood
is proven to be refused by a refusal, and not to be by more answers than such a guard lets pass.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import websocket

BURST_SECONDS = 2
TOLERANCE = 1.05
BURSTS = (500, 1000, 2000, 4000)  # frames: on a slow machine only long ones can be too many
EVENT_SECONDS = 60.0


@dataclass
class Burst:
    """What came back of one burst; *rate* is how many frames a second are allowed."""

    rate: int
    pongs: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    excess: str = ""

    def hear(self, event: dict[str, Any], seconds: float) -> None:
        """An event, *seconds* after the first frame went out. Pongs and errors count."""
        if event["event"] == "error":
            self.refusals.append(event["error"])
        elif event["event"] == "pong":
            self.pongs += 1
            if self.pongs > TOLERANCE * self.rate * (BURST_SECONDS + seconds):
                self.excess = f"{self.pongs} answers within {seconds:.1f} s"

    @property
    def answers(self) -> int:
        return self.pongs + len(self.refusals)

    @property
    def wrong(self) -> str | None:
        """Why it was not refused as it should be; None when nothing says so."""
        for error in self.refusals:
            if error["code"] != "slow_down" or not error.get("retryAfterSeconds"):
                return f"{error}"
        return self.excess or None

    @property
    def is_proof(self) -> bool:
        """Whether it was a flood at all: else the next one must be bigger."""
        return bool(self.refusals or self.excess)


def flood(socket: websocket.WebSocket, rate: int) -> Iterator[Burst]:
    """One burst after the other, each bigger, the last one the first that proves something.

    Raises ``OSError`` or ``websocket.WebSocketException`` when the socket ends.
    """
    for frames in BURSTS:
        burst = _burst(socket, Burst(rate), frames)
        yield burst
        if burst.is_proof:
            return


def _burst(socket: websocket.WebSocket, burst: Burst, frames: int) -> Burst:
    ping = websocket.ABNF.create_frame('{"action": "ping"}', websocket.ABNF.OPCODE_TEXT).format()
    socket.settimeout(EVENT_SECONDS)
    began = time.monotonic()
    # One write: a call for each frame would be slower than what is allowed, on a full machine.
    assert socket.sock
    socket.sock.sendall(ping * frames)
    while burst.answers < frames:
        text = socket.recv()
        if not text:
            raise websocket.WebSocketConnectionClosedException("the gateway closed it")
        burst.hear(json.loads(text), time.monotonic() - began)
    return burst
