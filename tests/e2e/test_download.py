"""A download that was interrupted goes on against real storage."""

from __future__ import annotations

import io
import random

import pytest

from hoist.client import Client, StaticToken
from hoist.client.fetch import Wanted

BODY = random.Random(7).randbytes(3_000_000)


@pytest.mark.parametrize("there", [1, 1_000_000, len(BODY) - 1, len(BODY)])
def test_an_interrupted_download_fetches_only_the_rest(stack, tmp_path, there):
    seen: list[int] = []
    with Client(stack.urls, StaticToken(stack.token("ada"))) as client:
        file_id = client.upload(io.BytesIO(BODY), name="a.bin").file_id
        mark = Wanted.of(client.get(file_id)).mark
        (tmp_path / f".back.bin.{mark}.part").write_bytes(BODY[:there])
        client.download(file_id, tmp_path / "back.bin", on_progress=seen.append)
    assert [path.name for path in tmp_path.iterdir()] == ["back.bin"]
    assert (tmp_path / "back.bin").read_bytes() == BODY
    assert seen[0] == there
    assert seen == sorted(seen)  # had it begun anew, the number would have fallen
