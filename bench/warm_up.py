"""Uploads that count for nothing: Java compiles its code while it runs.

Right after the start DynamoDB Local takes ten times the CPU for each.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial

from bench.target import Target
from bench.together import each, together
from bench.uploading import Uploader
from bench.urls import FILES, UNDER_WAY, urls
from bench.wire import Wire

URL_USERS, UPLOADS, AT_ONCE, BODY = 10, 320, 16, bytes(4_096)


def warm_up(target: Target) -> None:
    """URLs by the thousand first, in large batches, then whole uploads, a few at a time."""
    try:
        with ExitStack() as stack:
            users = target.users(target.count(URL_USERS))
            wires = [stack.enter_context(Wire(target.url + "/ws", user.token)) for user in users]
            each([partial(urls, wire, target.count(FILES), 1, UNDER_WAY) for wire in wires])
            count = target.count(UPLOADS, 2)
            users = target.users(min(AT_ONCE, count))
            uploaders = [stack.enter_context(closing(Uploader(target, user))) for user in users]
            together([partial(uploader.upload, BODY) for uploader in uploaders], count)
    finally:
        target.leave()
