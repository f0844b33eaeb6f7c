"""A file of 1 GiB and a bit, all the way: LARGE=1 make test T=tests/e2e/test_large.py.

Left out otherwise for its disk and its minutes. Above it, tests/unit/test_policy.py shows that
every size premium allows goes in parts that S3 takes.
"""

import hashlib
import os

import pytest

from hoist.client import Client, StaticToken

SIZE = 1024**3 + 12345


@pytest.mark.skipif(not os.environ.get("LARGE"), reason="1 GiB: run it with LARGE=1")
def test_a_gibibyte_comes_back_as_it_went(stack, tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:  # sparse, but for a mark in each part
        for mark in range(0, SIZE, 8 * 1024**2):
            file.seek(mark)
            file.write(mark.to_bytes(8))
        file.truncate(SIZE)
    with Client(stack.urls, StaticToken(stack.new_user("grace")), stored_seconds=600) as client:
        upload = client.upload(path)
        client.download(upload.file_id, tmp_path / "back.bin")
    assert upload.file["size"] == SIZE
    sums = []
    for name in ("large.bin", "back.bin"):
        with (tmp_path / name).open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    assert sums[0] == sums[1]
