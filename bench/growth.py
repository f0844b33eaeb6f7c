"""How costs grow with the users that are connected, and with the parts of a file.

Uploads of 4 KB, 16 at a time, while two thousand other users are connected, and while none is; and
the time that the URL of a part takes in an upload of hundreds of parts, and in one of a dozen.
"""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from functools import partial

import httpx

from bench.pairs import OURS, Side, interleaved, measure, told
from bench.row import Row
from bench.target import Target, cpu_seconds, until
from bench.together import each, together
from bench.uploading import Uploader
from bench.wire import Wire

OTHERS, AT_ONCE, UPLOADS, BODY = 2_000, 16, 128, b"0123456789abcdef" * 256
PARTS_AT_ONCE, QUIET_SECONDS = 10, 0.4


def users(target: Target) -> list[Row]:
    count, others = target.count(UPLOADS, 2), target.count(OTHERS, 2)
    uploaders = [Uploader(target, user) for user in target.users(min(AT_ONCE, count))]
    connected = target.users(others, uploads=False)

    def uploads() -> Side:
        works = [partial(uploader.upload, BODY) for uploader in uploaders]
        return measure(target, count, lambda: together(works, count))

    def beside_others() -> Side:
        with ExitStack() as stack:

            def some(first: int) -> None:
                for user in connected[first::AT_ONCE]:
                    stack.enter_context(Wire(target.url + "/ws", user.token))

            each([partial(some, first) for first in range(AT_ONCE)])
            done = uploads()
        until(lambda: _is_quiet(target), "quiet gateway")
        return done

    try:
        pairs = interleaved(target, beside_others, uploads)
    finally:
        for uploader in uploaders:
            uploader.close()
    ratios = [one.cpu_ms(*OURS) / other.cpu_ms(*OURS) for one, other in pairs]
    what = f"CPU of our processes per upload, {others:,} others connected / none"
    return [Row("users", what, ratios, is_most=True, detail=told(pairs))]


def _is_quiet(target: Target) -> bool:
    """Whether the gateway has nothing to do, such as to forget sockets."""
    gateway = target.process("gateway-a")
    used = cpu_seconds(gateway)
    time.sleep(QUIET_SECONDS)
    return cpu_seconds(gateway) - used < QUIET_SECONDS / 20


def parts(target: Target) -> list[Row]:
    """Of files as large as the premium tier takes, and of as few parts as any has."""
    tier, user = target.services.policy().tier("premium"), target.user()
    headers = {"Authorization": f"Bearer {user.token}"}
    with httpx.Client(base_url=target.url, timeout=60, headers=headers) as client:
        large = _begun(client, tier.file_size_max)
        small = _begun(client, tier.multipart_threshold + 1)
        ratios, seconds = [], (0.0, 0.0)
        for number in range(-1, target.pairs):
            seconds = (_each_part(client, *large), _each_part(client, *small))
            if number >= 0:
                ratios.append(seconds[0] / seconds[1])
    detail = f"last: {seconds[0] * 1e3:.2f} ms and {seconds[1] * 1e3:.2f} ms"
    what = f"time per part signed, {large[1]:,} parts / {small[1]}"
    return [Row("parts", what, ratios, is_most=True, detail=detail)]


def _begun(client: httpx.Client, size: int) -> tuple[str, int]:
    """A new upload of *size*, and how many parts it has."""
    asked = {"messageId": secrets.token_hex(8), "file": {"name": "bench.bin", "size": size}}
    answer = client.post("/files/upload", json=asked, headers={"Prefer": "wait=20"})
    begun = answer.raise_for_status().json()
    return begun["fileId"], begun["parts"]["count"]


def _each_part(client: httpx.Client, file_id: str, count: int) -> float:
    """Seconds that the URL of a part takes, asked for as a client does: some at a time."""
    began = time.perf_counter()
    for first in range(1, count + 1, PARTS_AT_ONCE):
        numbers = range(first, min(first + PARTS_AT_ONCE, count + 1))
        wanted = {"parts": [{"number": number} for number in numbers]}
        answer = client.post(f"/uploads/{file_id}/parts", json=wanted)
        assert len(answer.raise_for_status().json()["parts"]) == len(numbers)
    return (time.perf_counter() - began) / count
