"""Many files as one zip, as a client written only from the docs sees it."""

import hashlib
import io
import os
import time
import zipfile

import httpx
import pytest

from tests.e2e.raw_client import PATIENCE_SECONDS, RawSocket, describe, put, rest

MIB = 1024**2


def upload(socket, name, body, folder=""):
    ready = socket.request(describe(name, body, folder=folder))
    assert put(ready["upload"], body).status_code == 200
    return socket.hear("upload.stored", file_id=ready["fileId"])["file"]


def ask(stack, token, **filters):
    return httpx.post(f"{stack.url}/archives", params=filters, headers=rest(token), timeout=30)


def look(stack, token, archive_id):
    url = f"{stack.urls[1]}/archives/{archive_id}"  # any gateway knows
    return httpx.get(url, headers=rest(token), timeout=30)


def poll(stack, token, archive_id):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        view = look(stack, token, archive_id).raise_for_status().json()
        if view["state"] != "building":
            return view
        assert time.monotonic() < deadline, view
        time.sleep(0.2)


def digests(body):
    with zipfile.ZipFile(io.BytesIO(body)) as found:
        assert found.testzip() is None
        return {n: hashlib.sha256(found.read(n)).hexdigest() for n in found.namelist()}


def test_a_list_becomes_one_zip_with_its_folders(stack):
    token = stack.new_user("ada")
    bodies = {
        "photos/2026/sea.txt": os.urandom(6 * MIB),
        "photos/sea.txt": os.urandom(6 * MIB),
        "photos/a_b\u202e.txt": os.urandom(2 * MIB),
    }
    with RawSocket(stack.url, token) as socket:
        for path, body in bodies.items():
            folder, _, name = path.rpartition("/")
            upload(socket, name.replace("_", "/"), body, folder)
        upload(socket, "elsewhere.txt", b"not asked for")
        answer = ask(stack, token, folder="photos/")
        assert answer.status_code == 202
        asked = answer.json()
        assert asked["state"] == "building"
        assert answer.headers["Location"] == f"/archives/{asked['archiveId']}"
        told = socket.hear("archive.ready", "archive.failed")
    assert told["archive"]["archiveId"] == asked["archiveId"]
    view = look(stack, token, asked["archiveId"]).json()
    assert view == told["archive"] | {"downloadUrl": view["downloadUrl"]}
    assert (view["state"], view["files"]) == ("ready", 3)
    found = httpx.get(view["downloadUrl"], timeout=60)
    assert len(found.content) == view["size"]
    assert found.headers["Content-Disposition"].startswith('attachment; filename="hoist-2')
    expected = {path: hashlib.sha256(body).hexdigest() for path, body in bodies.items()}
    expected["photos/a_b_.txt"] = expected.pop("photos/a_b\u202e.txt")
    assert digests(found.content) == expected


def test_nobody_else_finds_it_and_a_made_up_id_is_none(stack):
    token = stack.new_user("ada")
    with RawSocket(stack.url, token) as socket:
        upload(socket, "a.txt", b"mine")
    archive_id = ask(stack, token).json()["archiveId"]
    assert poll(stack, token, archive_id)["state"] == "ready"
    forged = ("b" if archive_id[0] != "b" else "c") + archive_id[1:]
    refused = [
        look(stack, stack.new_user("grace"), archive_id),
        look(stack, token, forged),
        look(stack, token, "a" * 56),
        look(stack, token, "x"),
    ]
    assert {answer.status_code for answer in refused} == {404}
    assert len({answer.json()["detail"] for answer in refused}) == 1


def test_a_list_without_files_is_refused_at_once(stack):
    token = stack.new_user("ada")
    with RawSocket(stack.url, token) as socket:
        upload(socket, "a.txt", b"mine")
        socket.request(describe("pending.txt", b"never sent", folder="only/pending"))
    for folder in ("nowhere", "only/pending"):
        answer = ask(stack, token, folder=folder)
        assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_archive")


def test_no_token_no_archive(stack):
    assert httpx.post(f"{stack.url}/archives").status_code == 401
    assert httpx.get(f"{stack.url}/archives/{'a' * 56}").status_code == 401


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_an_archive_has_no_pages(stack, name):
    answer = ask(stack, stack.new_user("ada"), **{name: "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["field"] == name


def test_an_archive_is_no_file_of_anybody(stack, s3):
    """Nothing hears of it as an upload: neither the list, nor the queue of arrived objects."""
    token = stack.new_user("ada")
    with RawSocket(stack.url, token) as socket:
        upload(socket, "a.txt", b"mine")
    archive_id = ask(stack, token).json()["archiveId"]
    poll(stack, token, archive_id)
    listed = httpx.get(f"{stack.url}/files", headers=rest(token), timeout=30).json()["files"]
    assert [file["name"] for file in listed] == ["a.txt"]
    bucket = stack.settings["HOIST_BUCKET"]
    place = f"archives/{archive_id[:2]}/{archive_id}"
    kept = s3.list_objects_v2(Bucket=bucket, Prefix=place)["Contents"]
    assert sorted(item["Key"] for item in kept) == [place, f"{place}.json"]
    with RawSocket(stack.url, token) as socket:
        upload(socket, "b.txt", b"after it: the queue was read")
    log = (stack.stack.directory / "logs" / "bucket-events.log").read_text()
    assert "not an object of ours" not in log
