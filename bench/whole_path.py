"""The whole path of an upload beside a bare PUT to the same bucket, 16 at a time.

Both sides send their bytes the same way, by a presigned PUT on a kept connection. Ours asks for
the URL over a socket and waits for ``upload.stored``; the bare side signs it itself, which costs
less than any other way to be let in, and hears nothing after S3's answer. 100 MB are few files, so
that the bytes in flight (1.6 GB a side) fit into the memory and disk of a laptop; all are deleted
after each side.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from bench.pairs import Side, bound, interleaved, measure, told
from bench.row import Row
from bench.target import Target
from bench.together import together
from bench.uploading import BarePuts, Storage, Uploader

AT_ONCE = 16
SIZES = {"4KB": (4_096, 128), "1MB": (1_000_000, 64), "100MB": (100_000_000, 16)}
GOALS = {"4KB": 0.60, "1MB": 0.90, "100MB": 0.97}


def run(target: Target, name: str) -> list[Row]:
    size, full = SIZES[name]
    body, count = os.urandom(size), target.count(full, 2)
    at_once = min(AT_ONCE, count)
    bare = BarePuts(target, body)
    pairs = []
    uploaders = [Uploader(target, user) for user in target.users(at_once)]
    storages = [Storage(target.environment) for _ in range(at_once)]
    try:

        def ours() -> Side:
            works = [partial(uploader.upload, body) for uploader in uploaders]
            return measure(target, count, lambda: together(works, count))

        def floor() -> Side:
            works = [partial(bare.put, storage) for storage in storages]
            return measure(target, count, lambda: together(works, count))

        def tidy(side: Callable[[], Side]) -> Side:
            done = side()
            bare.delete()
            if size > 10**7:
                target.empty()
            return done

        pairs = interleaved(target, lambda: tidy(ours), lambda: tidy(floor))
    finally:
        for uploader in uploaders:
            uploader.close()
        for storage in storages:
            storage.close()
    ratios = [whole.per_second / put.per_second for whole, put in pairs]
    return [
        Row(name, "whole path / bare PUT", ratios, GOALS[name], detail=told(pairs) + bound(pairs))
    ]
