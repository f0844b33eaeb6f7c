"""The client against a real little gateway: lists and downloads."""

import io

import pytest

from hoist.client import Client, HoistProblem, StaticToken
from hoist.client.problems import Retry
from tests.unit.fake_service import TOKEN, running_service

AT_ONCE = Retry((0.0,), sleep=lambda seconds: None)


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def client(service):
    with Client([service.url], StaticToken(TOKEN), retry=AT_ONCE) as client:
        yield client


def test_iterating_follows_the_cursors_to_the_end(client):
    for number in range(5):
        client.upload(io.BytesIO(b"x"), name=f"{number}.txt")
    assert [file["name"] for file in client.iterate()] == [f"{n}.txt" for n in range(5)]
    assert client.list()["nextCursor"] == "2"


def test_a_download_is_what_was_uploaded(client, tmp_path):
    content = bytes(range(256)) * 5000
    file_id = client.upload(io.BytesIO(content), name="a.bin").file_id
    client.download(file_id, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == content
    assert client.status(file_id)["state"] == "stored"


def test_a_download_that_differs_leaves_what_was_there_and_no_rest(client, service, tmp_path):
    file_id = client.upload(io.BytesIO(b"abc"), name="a").file_id
    (tmp_path / "back").write_bytes(b"before")
    service.corrupts = True
    with pytest.raises(HoistProblem, match="SHA-256 differs"):
        client.download(file_id, tmp_path / "back")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_an_unknown_file_is_not_found(client, tmp_path):
    with pytest.raises(HoistProblem) as caught:
        client.download("nothing", tmp_path / "back")
    assert (caught.value.code, caught.value.status) == ("not_found", 404)
