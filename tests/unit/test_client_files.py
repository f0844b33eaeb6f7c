"""The client against a real little gateway: lists, changes, links and archives."""

import io
import random
from datetime import datetime, timedelta, timezone

import pytest

from hoist.client import Client, HoistProblem, StaticToken
from hoist.client.problems import Retry, Unreachable
from tests.unit.fake_service import TOKEN, running_service

AT_ONCE = Retry((0.0,), sleep=lambda seconds: None)
BODY = random.Random(5).randbytes(300_000)


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
    service.storage.corrupts = 9
    with pytest.raises(HoistProblem, match="SHA-256 differs"):
        client.download(file_id, tmp_path / "back")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_an_unknown_file_is_not_found(client, tmp_path):
    with pytest.raises(HoistProblem) as caught:
        client.download("nothing", tmp_path / "back")
    assert (caught.value.code, caught.value.status) == ("not_found", 404)


def test_every_filter_becomes_a_parameter_on_every_page_even_after_empty_ones(client, service):
    for number in range(3):
        service.keep(f"{number}.txt", b"x")
    service.shelf.empty_pages = 2
    noon = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))
    found = client.iterate(
        page_size=7,
        sort="-name",
        status=["stored", "expired"],
        visibility="public",
        name="ü",
        type="image/*",
        created_from=noon,
        created_to="2026-02-01T00:00:00Z",
        size_min=0,
        size_max=9,
        folder="",
    )
    assert [file["name"] for file in found] == ["0.txt", "1.txt", "2.txt"]
    wanted = {
        "limit": "7",
        "sort": "-name",
        "status": "stored,expired",
        "visibility": "public",
        "name": "ü",
        "type": "image/*",
        "createdFrom": "2026-01-31T12:00:00Z",
        "createdTo": "2026-02-01T00:00:00Z",
        "sizeMin": "0",
        "sizeMax": "9",
        "folder": "",
    }
    cursors = [{}, {"cursor": "0"}, {"cursor": "0"}, {"cursor": "2"}]
    assert [query for _, _, query in service.shelf.asked] == [wanted | more for more in cursors]


def test_a_filter_that_does_not_exist_is_a_mistake(client):
    with pytest.raises(TypeError, match="colour"):
        client.list(colour="red")


def test_a_change_sends_only_what_changes_and_returns_the_file(client, service):
    file_id = service.keep("a.txt", b"x")
    changed = client.change(file_id, folder="", visibility="public")
    assert (changed["visibility"], changed["revision"]) == ("public", 2)
    assert service.shelf.bodies == [{"folder": "", "visibility": "public"}]


def test_a_change_for_an_old_revision_is_refused_with_the_current_one(client, service):
    file_id = service.keep("a.txt", b"x", revision=4)
    changes = [
        lambda: client.change(file_id, name="b", if_revision=3),
        lambda: client.delete(file_id, if_revision=3),
    ]
    for change in changes:
        with pytest.raises(HoistProblem) as caught:
            change()
        assert (caught.value.code, caught.value.status) == ("precondition_failed", 412)
        assert caught.value.members["revision"] == 4
    assert client.change(file_id, name="b", if_revision=4)["name"] == "b"


def test_a_file_goes_to_the_trash_and_back_or_for_good(client, service):
    file_id = service.keep("a.txt", b"x")
    trashed = client.delete(file_id)
    assert (trashed["status"], trashed["deletedUntil"][:4]) == ("deleted", "2026")
    assert client.restore(file_id)["status"] == "stored"
    assert client.delete(file_id, permanently=True) is None
    with pytest.raises(HoistProblem, match="no such file"):
        client.get(file_id)


CHANGES = {
    "change": (lambda client, it: client.change(it, name="b"), lambda file: file["name"] == "b"),
    "delete": (lambda client, it: client.delete(it), lambda file: file["status"] == "deleted"),
    "purge": (lambda client, it: client.delete(it, permanently=True), lambda file: file is None),
    "restore": (lambda client, it: client.restore(it), lambda file: file["status"] == "stored"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_takes_long_is_looked_for_until_it_is_in_force(client, service, name):
    change, is_done = CHANGES[name]
    status = "deleted" if name == "restore" else "stored"
    file_id = service.keep("a.txt", b"x", status=status)
    service.shelf.accepts, service.shelf.looks = 1, 3
    assert is_done(change(client, file_id))
    assert len(service.shelf.asked) == 4


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_is_not_in_force_in_time_is_not_told_as_done(client, service, name):
    change, _ = CHANGES[name]
    status = "deleted" if name == "restore" else "stored"
    file_id = service.keep("a.txt", b"x", status=status)
    service.shelf.accepts, service.shelf.looks = 1, 99
    with pytest.raises(HoistProblem) as caught:
        change(client, file_id)
    assert (caught.value.code, caught.value.retriable) == ("not_confirmed", True)


def test_links_are_made_listed_and_ended(client, service):
    one, other = service.keep("a.txt", b"x"), service.keep("b.txt", b"x")
    share = client.share(one, expires_seconds=60, password="secret", downloads_max=5)
    client.share(other)
    sent = {"expiresInSeconds": 60, "password": "secret", "downloadsMax": 5}
    assert service.shelf.bodies == [sent, {}]
    assert (share["hasPassword"], share["state"]) == (True, "open")
    assert [item["fileId"] for item in client.shares()] == [one, other]
    assert client.shares(one) == [share]
    client.revoke(share["shareId"])
    assert client.shares(one)[0]["state"] == "revoked"


def test_addresses_are_told(client, service):
    file_id = service.keep("a.txt", b"x")
    assert client.content_url(file_id) == f"{service.url}/storage/{file_id}"
    assert client.public_url("a/b") == f"{service.url}/public/a%2Fb"


def test_histories_are_as_the_service_tells_them(client, service):
    steps = [{"step": "file.stored", "at": "2026-01-01T00:00:00.000Z"}]
    given = [{"at": "2026-01-01T00:00:00.000Z", "by": "owner"}]
    file_id = service.keep("a.txt", b"x", steps=steps, given=given)
    assert client.timeline(file_id) == {"fileId": file_id, "steps": steps}
    assert client.downloads(file_id)["count"] == 1


def test_an_archive_is_asked_for_with_the_filters_of_a_list(client, service):
    service.shelf.archive = [{}]
    assert client.archive(folder="photos/", size_min=5)["state"] == "building"
    assert service.shelf.asked == [("POST", "/archives", {"folder": "photos/", "sizeMin": "5"})]


def test_an_archive_is_waited_for_and_resumed_within_one_download(client, service, tmp_path):
    archive_id = "archive-1"
    service.bodies["zip"] = BODY
    ready = {"state": "ready", "downloadUrl": f"{service.url}/storage/zip"}
    service.shelf.archive = [{}, {}, ready]
    service.storage.cuts = [100_000]
    client.download_archive(archive_id, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert service.storage.ranges == [None, "bytes=100000-"]
    assert [path for _, path, _ in service.shelf.asked] == [f"/archives/{archive_id}"] * 4


def test_an_archive_that_lost_only_its_end_signal_is_complete(client, service, tmp_path):
    service.bodies["zip"] = BODY
    ready = {"state": "ready", "downloadUrl": f"{service.url}/storage/zip"}
    service.shelf.archive = [ready]
    lost = [True]

    def heard(done):
        if done == len(BODY) and lost:
            lost.pop()
            raise HoistProblem("unreachable", 503, "broke", {"retriable": True})

    client.download_archive("archive-1", tmp_path / "a.zip", on_progress=heard)
    assert ((tmp_path / "a.zip").read_bytes(), service.storage.ranges) == (
        BODY,
        [None, f"bytes={len(BODY)}-"],
    )


def test_an_archive_that_breaks_off_leaves_nothing(service, tmp_path):
    service.bodies["zip"] = BODY
    service.shelf.archive = [{"state": "ready", "downloadUrl": f"{service.url}/storage/zip"}]
    service.storage.cuts = [100_000]
    hasty = Retry((), sleep=lambda seconds: None)
    with Client([service.url], StaticToken(TOKEN), retry=hasty) as client:
        with pytest.raises(Unreachable):
            client.download_archive("archive-1", tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_archive_raises_its_problem(client, service):
    error = {"code": "archive_too_large", "status": 413, "detail": "too much"}
    service.shelf.archive = [{}, {"state": "failed", "error": error}]
    with pytest.raises(HoistProblem, match="too much") as caught:
        client.archive_ready("archive-1")
    assert (caught.value.code, caught.value.status) == ("archive_too_large", 413)
    service.shelf.archive = [{}]
    with pytest.raises(HoistProblem) as caught:
        client.archive_ready("archive-1", wait_seconds=60)
    assert (caught.value.code, caught.value.retriable) == ("not_confirmed", True)
