"""Many sockets of one user hear the same; a few of them never read."""

import threading
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import psutil
import redis

from tests.e2e.raw_client import PATIENCE_SECONDS, RawSocket, rest
from tests.integration.test_sockets import Bare, pid_of, pid_of_worker, until
from tests.peers import held, say_to_all

STALLED, HEALTHY = 8, 12
ROUNDS, OF_A_ROUND = 14, 15  # 30 KB each: more than the buffers on the way and our queue hold
DELAY_SECONDS_MAX = 5  # far less than the 10 s that a stalled socket is given


def hear_all(socket, heard):
    """Numbers go to *heard*, until all have come."""
    for _ in range(ROUNDS * OF_A_ROUND):
        heard.append(socket.hear("test.said")["number"])


def test_stalled_readers_are_cut_while_the_others_hear_everything_at_once(stack):
    token = stack.new_user()
    user_id = httpx.get(f"{stack.url}/me", headers=rest(token)).json()["userId"]
    gateway = psutil.Process(pid_of_worker(pid_of(stack)))
    log = stack.stack.directory / "logs" / "gateway-a.log"
    port = urlsplit(stack.url).port
    before, cuts, slowest = held(gateway, port), log.read_text().count("slow reader cut"), 0.0
    with ExitStack() as opened, redis.Redis.from_url(stack.settings["HOIST_REDIS_URL"]) as wire:
        healthy = [opened.enter_context(RawSocket(stack.url, token)) for _ in range(HEALTHY)]
        stalled = [Bare(stack.url, token) for _ in range(STALLED)]
        for peer in stalled:
            opened.callback(peer.close)
        heard = [[] for _ in healthy]
        threads = [
            threading.Thread(target=hear_all, args=pair)
            for pair in zip(healthy, heard, strict=True)
        ]
        for thread in threads:
            thread.start()
        for turn in range(ROUNDS):
            began = time.monotonic()
            for number in range(OF_A_ROUND):
                say_to_all(wire, user_id, turn * OF_A_ROUND + number)
            wanted = (turn + 1) * OF_A_ROUND
            until(lambda wanted=wanted: all(len(one) >= wanted for one in heard), "event")
            slowest = max(slowest, time.monotonic() - began)
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert heard == [list(range(ROUNDS * OF_A_ROUND))] * HEALTHY
        assert slowest <= DELAY_SECONDS_MAX
        until(lambda: log.read_text().count("slow reader cut") - cuts == STALLED, "cut")
        # Their sockets end though they never read.
        until(lambda: held(gateway, port) <= before + HEALTHY, "end of the stalled")
        for peer in stalled:
            list(peer.frames())  # whole frames only, then the end
    until(lambda: held(gateway, port) <= before, "end of all")
