"""URLs a second over a socket through Kafka, beside the same socket that presigns by itself.

Eight clients, each a user of their own, ask as fast as they are answered: single files with 32
requests under way, and frames of 25 one after another. The bare side is one gunicorn process with
flask-sock that reads the frame, signs from memory and answers; ours also keeps every request in the
log, checks limits and quota in the store, and records it.
"""

from __future__ import annotations

import json
from functools import partial

from bench.floor import Floor, running
from bench.pairs import Side, bound, interleaved, measure, told
from bench.row import Row
from bench.target import Target
from bench.together import each
from bench.uploading import wanted
from bench.wire import Wire, frame

CLIENTS, UNDER_WAY, PER_FRAME, FILES = 8, 32, 25, 100


def run(target: Target) -> list[Row]:
    with running(target.environment, "presign") as floor:
        return [_row(target, floor, 1, UNDER_WAY), _row(target, floor, PER_FRAME, 1)]


def _row(target: Target, floor: Floor, per_frame: int, under_way: int) -> Row:
    frames = max(1, target.count(FILES) // per_frame)
    count = CLIENTS * frames * per_frame

    def ours() -> Side:
        wires = [Wire(target.url + "/ws", user.token) for user in target.users(CLIENTS)]
        return _closed(wires, measure(target, count, lambda: ask(wires)))

    def bare() -> Side:
        wires = [Wire(floor.url + "/ws") for _ in range(CLIENTS)]
        return _closed(wires, measure(target, count, lambda: ask(wires), floor))

    def ask(wires: list[Wire]) -> None:
        each([partial(urls, wire, frames, per_frame, under_way) for wire in wires])

    pairs = interleaved(target, ours, bare)
    ratios = [one.per_second / other.per_second for one, other in pairs]
    name = "urls" if per_frame == 1 else f"urls-{per_frame}"
    what = f"URLs a second, {per_frame} a frame / presigned by the socket itself"
    return Row(name, what, ratios, 0.6, detail=told(pairs) + bound(pairs))


def urls(wire: Wire, frames: int, per_frame: int, under_way: int) -> None:
    """Ask for *frames* times *per_frame* files, so many frames at a time, and take every URL."""
    waiting = [_frame(per_frame) for _ in range(frames)]
    wire.socket.sendall(b"".join(waiting[:under_way]))
    del waiting[:under_way]
    for number in range(1, frames * per_frame + 1):
        while b'"upload.ready"' not in (event := wire.receive())[:40]:
            assert b'"upload.accepted"' in event[:40], event
        if number % per_frame == 0 and waiting:
            wire.socket.sendall(waiting.pop())


def _frame(per_frame: int) -> bytes:
    if per_frame == 1:
        return frame(json.dumps({"action": "upload", **wanted()}).encode())
    files = [wanted() for _ in range(per_frame)]
    return frame(json.dumps({"action": "upload", "files": files}).encode())


def _closed(wires: list[Wire], side: Side) -> Side:
    for wire in wires:
        wire.close()
    return side
