"""Time to a URL in one lane, alone and while 5,000 requests wait in the other.

The same few requests are sent, one after another, before and during the flood; told is the median
during it divided by the median alone, and how many of the flood were answered meanwhile.
"""

from __future__ import annotations

import json
import secrets
import statistics
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

FLOOD, PER_FRAME, SAMPLES = 5000, 100, 40
USERS = {"basic": "ada", "premium": "grace"}


def run(environment: Mapping[str, str]) -> str:
    """One line for each direction."""
    return "\n".join(
        direction(environment, asking, flooding)
        for asking, flooding in (("premium", "basic"), ("basic", "premium"))
    )


def direction(environment: Mapping[str, str], asking: str, flooding: str) -> str:
    with ExitStack() as stack:
        asker = stack.enter_context(socket(environment, asking))
        alone = [time_to_url(asker) for _ in range(SAMPLES)]
        answers: list[str] = []
        for _ in range(FLOOD // PER_FRAME):
            member = stack.enter_context(socket(environment, flooding))
            threading.Thread(target=listen, args=(member, answers), daemon=True).start()
            files = [file() for _ in range(PER_FRAME)]
            member.send(json.dumps({"action": "upload", "files": files}))
        crowded = [time_to_url(asker) for _ in range(SAMPLES)]
        answered = len(answers)
    ratio = statistics.median(crowded) / statistics.median(alone)
    return (
        f"{asking} behind {FLOOD} {flooding}: time to URL {ratio:.2f} x alone "
        f"(p50 {statistics.median(alone) * 1000:.1f} ms alone, "
        f"{statistics.median(crowded) * 1000:.1f} ms crowded, "
        f"while {answered} of {FLOOD} {flooding} ones were answered)"
    )


def socket(environment: Mapping[str, str], tier: str) -> ClientConnection:
    """A socket of somebody nobody has seen, of this tier."""
    sub = f"auth0|bench-{secrets.token_hex(6)}"
    body = {"user": USERS[tier], "flaw": "good", "claims": {"sub": sub}}
    answer = httpx.post(f"{environment['HOIST_ISSUER']}_control/mint", json=body, timeout=30)
    token = answer.raise_for_status().json()["token"]
    url = environment["HOIST_URL"].split(",")[0].replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {token}"}
    return connect(url, additional_headers=headers, compression=None, ping_interval=None)


def file() -> dict[str, object]:
    return {"messageId": secrets.token_hex(8), "file": {"name": "bench.bin", "size": 1}}


def time_to_url(asker: ClientConnection) -> float:
    """Seconds from the frame to its URL."""
    began = time.perf_counter()
    asker.send(json.dumps({"action": "upload", **file()}))
    while True:
        event = json.loads(asker.recv(timeout=60))
        if event["event"] == "upload.ready":
            return time.perf_counter() - began
        assert event["event"] == "upload.accepted", event


def listen(member: ClientConnection, answers: list[str]) -> None:
    """Note each URL that a member of the flood is given, until its socket ends."""
    with suppress(ConnectionClosed):
        while True:
            event = json.loads(member.recv())
            if event["event"] == "upload.ready":
                answers.append(event["fileId"])
