"""One file, all the way, as a client written only from the docs sees it."""

import base64
import hashlib
import os

import httpx
import pytest

from tests.e2e.raw_client import (
    RawSocket,
    describe,
    list_all,
    new_message_id,
    poll_upload,
    put,
    rest,
)

LIMIT = 100 * 1024**2


def test_exactly_100_mib_as_ada_reads_back_identical(stack):
    token = stack.new_user("ada")
    body = os.urandom(1024) * (LIMIT // 1024)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    with RawSocket(stack.url, token) as socket:
        ready = socket.request(describe("big.bin", body, checksumSha256=digest))
        assert put(ready["upload"], body).status_code == 200
        stored = socket.hear("upload.stored", file_id=ready["fileId"])
    assert stored["file"]["size"] == LIMIT
    [listed] = list_all(stack.url, token)
    assert listed["status"] == "stored"
    with httpx.Client(base_url=stack.url, headers=rest(token)) as client:
        found = client.get(f"/files/{ready['fileId']}/content")
    assert found.status_code == 302
    read = httpx.get(found.headers["Location"], timeout=120)
    assert hashlib.sha256(read.content).digest() == hashlib.sha256(body).digest()
    assert read.headers["Content-Disposition"].startswith("attachment")


def test_one_byte_more_is_refused_with_the_limit_and_what_premium_allows(stack):
    token = stack.new_user("ada")
    with RawSocket(stack.url, token) as socket:
        refused = socket.request({"name": "big.bin", "size": LIMIT + 1})
    assert refused["event"] == "upload.rejected"
    assert refused["error"]["code"] == "file_too_large"
    assert refused["error"]["limit"] == LIMIT
    assert refused["error"]["premiumLimit"] == 5 * 1024**3
    assert list_all(stack.url, token) == []


def test_premium_may_send_what_basic_may_not(stack):
    with RawSocket(stack.url, stack.new_user("grace")) as socket:
        granted = socket.request({"name": "big.bin", "size": LIMIT + 1})
    assert granted["event"] == "upload.ready"


def test_storage_itself_refuses_what_was_not_announced(stack):
    body = b"twelve bytes"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    with RawSocket(stack.url, stack.new_user()) as socket:
        upload = socket.request(describe("a.txt", body, checksumSha256=digest))["upload"]
        larger = body * 2
        assert put(upload, larger, **{"Content-Length": str(len(larger))}).status_code == 403
        assert put(upload, body, **{"Content-Type": "text/html"}).status_code == 403
        assert put(upload, b"other bytes!").status_code == 400
        assert put(upload, body).status_code == 200
        assert put(upload, body).status_code == 412


def test_rest_that_waits_gets_the_url_at_once(stack):
    token = stack.new_user()
    body = b"over rest"
    request = {"messageId": new_message_id(), "file": describe("r.txt", body)}
    headers = rest(token) | {"Prefer": "wait=10"}
    answer = httpx.post(f"{stack.url}/files/upload", json=request, headers=headers, timeout=30)
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=10"
    upload = answer.json()
    assert upload["state"] == "ready"
    assert put(upload["upload"], body).status_code == 200
    assert poll_upload(stack.url, token, upload["fileId"], "stored")["file"]["size"] == len(body)


def test_rest_that_does_not_wait_polls_its_location(stack):
    token = stack.new_user()
    body = b"over rest, later"
    request = {"messageId": new_message_id(), "file": describe("r.txt", body)}
    answer = httpx.post(f"{stack.url}/files/upload", json=request, headers=rest(token), timeout=30)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/uploads/{answer.json()['fileId']}"
    ready = poll_upload(stack.url, token, answer.json()["fileId"], "ready")
    assert put(ready["upload"], body).status_code == 200
    poll_upload(stack.url, token, answer.json()["fileId"], "stored")


def test_rest_refuses_a_large_file_with_a_problem(stack):
    request = {"messageId": new_message_id(), "file": {"name": "b", "size": LIMIT + 1}}
    headers = rest(stack.new_user()) | {"Prefer": "wait=10"}
    answer = httpx.post(f"{stack.url}/files/upload", json=request, headers=headers, timeout=30)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "file_too_large"


def test_the_same_message_id_over_both_transports_and_a_reconnect_is_one_file(stack):
    token = stack.new_user()
    body = b"once"
    message_id = new_message_id()
    file = describe("once.txt", body)
    answers = []
    with RawSocket(stack.url, token) as socket:
        answers += [socket.request(file, message_id) for _ in range(2)]
    with RawSocket(stack.urls[1], token) as socket:
        answers.append(socket.request(file, message_id))
        assert put(answers[-1]["upload"], body).status_code == 200
        socket.hear("upload.stored", file_id=answers[-1]["fileId"])
    headers = rest(token) | {"Prefer": "wait=10"}
    for url in stack.urls:
        request = {"messageId": message_id, "file": file}
        answer = httpx.post(f"{url}/files/upload", json=request, headers=headers, timeout=30)
        assert answer.status_code == 201
        answers.append(answer.json())
    assert len({answer["fileId"] for answer in answers}) == 1
    paths = {answer["upload"]["url"].split("?")[0] for answer in answers if "upload" in answer}
    assert len(paths) == 1
    assert len(list_all(stack.url, token)) == 1


def test_the_same_message_id_for_another_file_is_a_conflict_and_first_wins(stack):
    token = stack.new_user()
    message_id = new_message_id()
    with RawSocket(stack.url, token) as socket:
        assert socket.request(describe("a.txt", b"one"), message_id)["event"] == "upload.ready"
        second = socket.request(describe("b.txt", b"two"), message_id)
        assert second["error"]["code"] == "message_id_conflict"
    with httpx.Client(base_url=stack.url, headers=rest(token)) as client:
        fresh = client.get(f"/uploads/{second['fileId']}").json()
    assert fresh["file"]["name"] == "a.txt"


def test_users_do_not_see_each_other(stack):
    ada, grace = stack.new_user("ada"), stack.new_user("grace")
    body = b"mine"
    with RawSocket(stack.url, ada) as socket:
        ready = socket.request(describe("mine.txt", body))
        put(ready["upload"], body)
        socket.hear("upload.stored")
    with httpx.Client(base_url=stack.url, headers=rest(grace)) as client:
        for path in ("/files/{}", "/uploads/{}", "/files/{}/content"):
            foreign = client.get(path.format(ready["fileId"]))
            unknown = client.get(path.format("00000000-0000-5000-8000-000000000000"))
            assert foreign.status_code == unknown.status_code == 404
            assert foreign.json()["detail"] == unknown.json()["detail"]
    assert list_all(stack.url, grace) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", 'a"b;c.txt', "\u202egnp.exe", "\U0001f600.txt"]
)
def test_odd_names_come_back_as_they_were_and_never_enter_keys(stack, name):
    token = stack.new_user()
    body = b"odd"
    with RawSocket(stack.url, token) as socket:
        ready = socket.request(describe(name, body))
        assert put(ready["upload"], body).status_code == 200
        stored = socket.hear("upload.stored")
    assert stored["file"]["name"] == name
    assert stored["file"]["s3Key"] == f"files/{ready['fileId'][:2]}/{ready['fileId']}"
    [listed] = list_all(stack.url, token)
    disposition = httpx.get(listed["downloadUrl"]).headers["Content-Disposition"]
    assert "filename*=UTF-8''" in disposition
