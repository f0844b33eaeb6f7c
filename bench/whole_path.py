"""The whole path of an upload beside a bare PUT to the same bucket, 16 at a time.

Both sides send their bytes the same way, by a presigned PUT on a kept connection. Ours asks for
the URL over a socket and waits for ``upload.stored``; the bare side signs it itself, which costs
less than any other way to be let in, and hears nothing after S3's answer. 100 MB are few files, so
that the bytes in flight (1.6 GB a side) fit into the memory and disk of a laptop; all are deleted
after each side.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.pairs import Side, bound, interleaved, measure, told
from bench.row import Row
from bench.target import Target
from bench.together import together
from bench.uploading import Storage, Uploader
from emulation import provision

AT_ONCE = 16
SIZES = {"4KB": (4_096, 128), "1MB": (1_000_000, 64), "100MB": (100_000_000, 16)}
GOALS = {"4KB": 0.60, "1MB": 0.90, "100MB": 0.97}


def run(target: Target, name: str) -> list[Row]:
    size, full = SIZES[name]
    body, count = os.urandom(size), target.count(full, 2)
    at_once = min(AT_ONCE, count)
    bare = _Bare(target, body)
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


class _Bare:
    """PUTs under a prefix of their own, of whose arrival S3 tells nobody."""

    def __init__(self, target: Target, body: bytes) -> None:
        self._s3: Any = provision.client("s3", target.environment)
        self._bucket, self._body = target.environment["HOIST_BUCKET"], body
        self._keys: list[str] = []

    def put(self, storage: Storage) -> None:
        key = f"bench/{secrets.token_hex(8)}"
        self._keys.append(key)
        params = {"Bucket": self._bucket, "Key": key, "ContentLength": len(self._body)}
        url = self._s3.generate_presigned_url("put_object", params, 900)
        storage.put(url, self._body, {"Content-Length": str(len(self._body))})

    def delete(self) -> None:
        while self._keys:
            some, self._keys = self._keys[:1000], self._keys[1000:]
            gone = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            self._s3.delete_objects(Bucket=self._bucket, Delete=gone)
