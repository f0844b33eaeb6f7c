"""What everybody hears while log, Redis or store is away, and how it goes on by itself."""

import io
import json
import os
import selectors
import signal
import socket
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from hoist.client import Client, StaticToken
from tests.e2e.raw_client import (
    RawSocket,
    describe,
    list_all,
    new_message_id,
    poll_upload,
    put,
    rest,
)

CALLERS = 200
ANSWER_SECONDS_MAX, RECOVERY_SECONDS_MAX = 8, 15
PATIENCE_SECONDS = 60
BODY = b"in spite of all"


def service(stack, name):
    [found] = [row for row in stack.stack.status() if row["name"] == name]
    return found


@contextmanager
def stopped(stack, name):
    """It holds its connections and takes new ones, and answers nothing."""
    pid = service(stack, name)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def killed(stack, name):
    """Gone when the block begins, and back when it has ended."""
    before = service(stack, name)
    os.kill(before["pid"], signal.SIGKILL)
    yield
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (now := service(stack, name))["pid"] == before["pid"] or now["state"] != "ready":
        assert time.monotonic() < deadline, now


def ask(stack, token, message_id, **headers):
    body = {"messageId": message_id, "file": describe("a.txt", BODY)}
    url = f"{stack.url}/files/upload"
    return httpx.post(url, json=body, headers=rest(token) | headers, timeout=PATIENCE_SECONDS)


def ask_at_once(stack, asked):
    """POST /files/upload for each (token, messageId): seconds, status and code of each answer."""
    waiting, answers, address = selectors.DefaultSelector(), [], urlsplit(stack.url)
    for token, message_id in asked:
        body = json.dumps({"messageId": message_id, "file": describe("a.txt", BODY)})
        peer = socket.create_connection((address.hostname, address.port))
        peer.sendall(
            "POST /files/upload HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        waiting.register(peer, selectors.EVENT_READ, [time.monotonic(), b""])
    while waiting.get_map():
        ready = waiting.select(PATIENCE_SECONDS)
        assert ready, "silence"
        for key, _ in ready:
            if more := key.fileobj.recv(65536):
                key.data[1] += more
                continue
            waiting.unregister(key.fileobj)
            key.fileobj.close()
            head, _, body = key.data[1].partition(b"\r\n\r\n")
            assert b"\r\nRetry-After: " in head
            answers.append((time.monotonic() - key.data[0], int(head.split()[1]), json.loads(body)))
    return answers


def wait_until_accepted(stack, token, message_id):
    """Asks until it is; every other answer must be ``busy``, and soon."""
    began = time.monotonic()
    while (answer := ask(stack, token, message_id)).status_code != 202:
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert answer.elapsed.total_seconds() <= ANSWER_SECONDS_MAX
        assert time.monotonic() - began <= RECOVERY_SECONDS_MAX
    assert time.monotonic() - began <= RECOVERY_SECONDS_MAX


@pytest.mark.parametrize("fault", [stopped, killed])
def test_while_the_log_is_away_all_hear_busy_soon_and_later_it_goes_on_by_itself(stack, fault):
    tokens = [stack.new_user() for _ in range(4)]
    asked = [(tokens[number % 4], new_message_id()) for number in range(CALLERS)]
    pids = {row["name"]: row["pid"] for row in stack.stack.status() if row["name"] != "kafka"}
    with RawSocket(stack.url, tokens[0]) as talk:
        ready = talk.request(describe("before.txt", BODY))
        with fault(stack, "kafka"):
            answers = ask_at_once(stack, asked)
            assert {(status, told["code"]) for _, status, told in answers} == {(503, "busy")}
            assert max(seconds for seconds, *_ in answers) <= ANSWER_SECONDS_MAX
            began, frame = time.monotonic(), {"messageId": new_message_id()}
            talk.say({"action": "upload", "file": describe("b.txt", BODY), **frame})
            heard = talk.hear("error")
            assert time.monotonic() - began <= ANSWER_SECONDS_MAX
            assert (heard["messageId"], heard["error"]["code"]) == (frame["messageId"], "busy")
            assert heard["error"]["retryAfterSeconds"] >= 1
            # What needs no log goes on.
            for path in ("/files", "/me", f"/uploads/{ready['fileId']}"):
                answer = httpx.get(f"{stack.url}{path}", headers=rest(tokens[0]), timeout=30)
                assert answer.status_code == 200, answer.text
        wait_until_accepted(stack, *asked[0])
    file_ids = set()
    for token, message_id in asked[::20]:  # each may be in the log already
        accepted = ask(stack, token, message_id).json()
        poll_upload(stack.url, token, accepted["fileId"], "ready")
        file_ids.add(accepted["fileId"])
    mine = [file["fileId"] for token in tokens for file in list_all(stack.url, token)]
    assert len(mine) == len(set(mine))
    assert file_ids <= set(mine)
    after = {row["name"]: row["pid"] for row in stack.stack.status() if row["name"] != "kafka"}
    assert after == pids


def test_while_redis_hangs_an_upload_goes_through_though_no_event_comes(stack):
    token = stack.new_user()
    with stopped(stack, "redis"), Client(stack.urls, StaticToken(token)) as client:
        done = client.upload(io.BytesIO(BODY), name="a.txt")
        assert done.file["status"] == "stored"
        began = time.monotonic()
        assert [file["fileId"] for file in client.list()["files"]] == [done.file_id]
        assert time.monotonic() - began <= ANSWER_SECONDS_MAX


def test_while_the_store_hangs_readers_are_told_when_to_come_again(stack):
    token = stack.new_user()
    with RawSocket(stack.url, token) as talk:
        with stopped(stack, "dynamodb"):
            began = time.monotonic()
            talk.say({"action": "status", "messageId": "m-1"})
            answer = httpx.get(f"{stack.url}/files", headers=rest(token), timeout=30)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            assert talk.hear("error")["error"]["code"] == "unavailable"
            assert time.monotonic() - began <= 2 * ANSWER_SECONDS_MAX
        ready = talk.request(describe("a.txt", BODY))
        assert put(ready["upload"], BODY).status_code == 200
        talk.hear("upload.stored", file_id=ready["fileId"])
