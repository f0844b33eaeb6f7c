"""A quiet peer beside three that send frames as fast as they can and read all that comes.

The flooders are users of their own, in a process of their own. Told is the 99th percentile of the
quiet peer's round trips, one every 50 ms, while they flood; and the same before.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial

from bench.pairs import Side, cpu_of, measured
from bench.row import Row, percentile
from bench.target import Target
from bench.wire import Closed, Wire, frame

FLOODERS, TRIPS, GAP_SECONDS = 3, 60, 0.05
PING = frame(b'{"action":"ping"}')


def run(target: Target) -> list[Row]:
    count = target.count(TRIPS, 3)
    users = target.users(FLOODERS, uploads=False)
    crowded, alone = [], []
    sides: list[Side] = []
    with Wire(target.url + "/ws", target.user(uploads=False).token) as quiet:
        for number in range(-1, target.pairs):
            before = percentile(_trips(quiet, count), 99)
            tokens = [user.token for user in users]
            command = (sys.executable, "-m", "bench.quiet", target.url + "/ws", *tokens)
            flood = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                assert flood.stdout
                assert flood.stdout.readline() == "flooding\n"
                times, side = measured(target, count, partial(_trips, quiet, count))
                during = percentile(times, 99)
            finally:
                flood.terminate()
                flood.communicate()
            if number >= 0:
                crowded.append(during * 1000)
                alone.append(before * 1000)
                sides.append(side)
    told = f"alone {percentile(alone, 50):.1f} ms; CPU ms each, with the flood: {cpu_of(sides)}"
    what = f"p99 of a quiet peer beside {FLOODERS} flooding ones"
    return [Row("quiet", what, crowded, 100, True, " ms", told)]


def _trips(quiet: Wire, count: int) -> list[float]:
    times = []
    for _ in range(count):
        time.sleep(GAP_SECONDS)
        began = time.perf_counter()
        quiet.socket.sendall(PING)
        quiet.receive()
        times.append(time.perf_counter() - began)
    return times


def flood() -> None:
    """Until terminated; a socket that is cut is opened again."""
    url, *tokens = sys.argv[1:]
    for token in tokens:
        threading.Thread(target=_again, args=(url, token), daemon=True).start()
    print("flooding", flush=True)
    threading.Event().wait()


def _again(url: str, token: str) -> None:
    while True:
        try:
            with Wire(url, token) as wire:
                threading.Thread(target=_drain, args=(wire,), daemon=True).start()
                while True:
                    wire.socket.sendall(PING * 100)
        except (Closed, OSError):
            time.sleep(0.1)


def _drain(wire: Wire) -> None:
    try:
        while wire.receive():
            pass
    except (Closed, OSError):
        pass


if __name__ == "__main__":
    flood()
