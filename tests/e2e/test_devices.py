"""A second device sees the same; batches and folders; cancelling; sockets that renew."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.raw_client import (
    RawSocket,
    describe,
    list_all,
    new_message_id,
    poll_upload,
    put,
    rest,
)

HOIST = Path(sys.executable).parent / "hoist"


def test_a_second_device_sees_progress_and_a_late_one_misses_nothing(stack):
    token, message_id, body = stack.new_user(), new_message_id(), b"x" * 1000
    with RawSocket(stack.urls[0], token) as first, RawSocket(stack.urls[1], token) as second:
        ready = first.request(describe("a.bin", body), message_id)
        first.say({"action": "progress", "messageId": message_id, "bytesSent": 400})
        seen = second.hear("upload.progress", file_id=ready["fileId"])
        assert seen["progress"] == {"phase": "uploading", "bytesSent": 400, "bytesTotal": 1000}
        assert "n" not in seen
        view = httpx.get(f"{stack.url}/uploads/{ready['fileId']}", headers=rest(token)).json()
        assert view["progress"] == seen["progress"]
        assert put(ready["upload"], body).status_code == 200
        assert second.hear("upload.stored", file_id=ready["fileId"])["n"]
    view = poll_upload(stack.url, token, ready["fileId"], "stored")
    assert view["progress"]["phase"] == "recorded"
    with RawSocket(stack.url, token) as late:
        late.say({"action": "resume", "since": 0})
        late.hear("resume.done")
        assert [event["event"] for event in late.heard] == ["upload.ready", "upload.stored"]


def test_watch_tells_another_terminal_every_phase(stack, tmp_path):
    names = ("HOIST_URL", "HOIST_ISSUER", "HOIST_AUDIENCE")
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    env = kept | {name: stack.settings[name] for name in names} | {"HOME": str(tmp_path)}
    login = [HOIST, "login", "--user", "grace", "--password", "grace"]
    subprocess.run(login, env=env, check=True, capture_output=True)
    with subprocess.Popen(
        [HOIST, "watch", "--json"], env=env, stdout=subprocess.PIPE, text=True
    ) as watching:
        file = tmp_path / "big.bin"
        file.write_bytes(os.urandom(1024) * 120 * 1024)
        uploaded = subprocess.run(
            [HOIST, "upload", file], env=env, check=True, capture_output=True, text=True
        )
        file_id, events = uploaded.stdout.split("\t")[0], []
        # Progress is not kept, and what is kept may overtake it.
        wanted = {("upload.progress", "uploading"), ("upload.progress", "stored")}
        wanted |= {("upload.stored", None)}
        while wanted - {(each["event"], each.get("progress", {}).get("phase")) for each in events}:
            event = json.loads(watching.stdout.readline())
            if event.get("fileId") == file_id:
                events.append(event)
        watching.terminate()
        watching.stdout.close()
    progress = [event["progress"] for event in events if event["event"] == "upload.progress"]
    sent = [each["bytesSent"] for each in progress]
    assert sent == sorted(sent)


def test_one_frame_announces_a_hundred_files_each_with_its_own_answer(stack):
    token = stack.new_user()
    body = b"one of many"
    files = [
        {"messageId": f"b-{n}", "file": describe(f"{n}.txt", body, folder=f"album/{n % 3}")}
        for n in range(99)
    ]
    files.append({"messageId": "b-bad", "file": describe("bad.txt", body, folder="../up")})
    with RawSocket(stack.url, token) as socket:
        socket.say({"action": "upload", "files": files})
        error = socket.hear("error")
        assert (error["messageId"], error["error"]["field"]) == ("b-bad", "file.folder")
        for request in files[:99]:
            accepted = socket.hear("upload.accepted")
            assert accepted["messageId"] == request["messageId"]
            ready = socket.hear("upload.ready", file_id=accepted["fileId"])
            assert put(ready["upload"], body).status_code == 200
            socket.hear("upload.stored", file_id=accepted["fileId"])
    listed = list_all(stack.url, token)
    assert sorted((file["name"], file["folder"]) for file in listed) == sorted(
        (f"{n}.txt", f"album/{n % 3}") for n in range(99)
    )


@pytest.mark.parametrize("transport", ["frame", "rest"])
@pytest.mark.parametrize("state", ["ready", "stored"])
def test_an_upload_is_cancelled_in_any_state_over_either_transport(stack, transport, state):
    token, message_id, body = stack.new_user(), new_message_id(), b"regretted"
    with RawSocket(stack.urls[0], token) as socket, RawSocket(stack.urls[1], token) as other:
        ready = socket.request(describe("a.txt", body), message_id)
        if state == "stored":
            assert put(ready["upload"], body).status_code == 200
            socket.hear("upload.stored", file_id=ready["fileId"])
        if transport == "frame":
            socket.say({"action": "cancel", "messageId": message_id})
            socket.hear("upload.cancelling")
        else:
            url = f"{stack.url}/uploads/{ready['fileId']}"
            assert httpx.delete(url, headers=rest(token)).status_code == 202
        for device in (socket, other):
            assert device.hear("upload.cancelled", file_id=ready["fileId"])
        again = socket.request(describe("a.txt", body), message_id)
        assert again["error"]["code"] == "upload_cancelled"
    poll_upload(stack.url, token, ready["fileId"], "cancelled")
    assert list_all(stack.url, token) == []
    use = httpx.get(f"{stack.url}/me", headers=rest(token)).json()["use"]
    assert (use["storedBytes"], use["reservedBytes"]) == (0, 0)


def test_nobody_else_cancels_signs_completes_or_follows_an_upload(stack):
    mine, theirs = stack.new_user(), stack.new_user()
    with RawSocket(stack.url, mine) as socket:
        ready = socket.request(describe("a.txt", b"mine"))
    with httpx.Client(base_url=stack.url, headers=rest(theirs)) as client:
        path = f"/uploads/{ready['fileId']}"
        answers = [
            client.delete(path),
            client.post(f"{path}/parts", json={"parts": [{"number": 1}]}),
            client.post(f"{path}/complete"),
            client.post(f"{path}/progress", json={"bytesSent": 1}),
        ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["detail"] for answer in answers} == {"no such upload"}
    assert poll_upload(stack.url, mine, ready["fileId"], "ready")


def test_a_renewed_socket_outlives_its_first_token(stack):
    sub = "auth0|renewing"
    short = stack.mint("ada", "good", lifetime_seconds=4, sub=sub)
    with RawSocket(stack.url, short) as socket:
        foreign = stack.new_user()
        socket.say({"action": "renew", "token": foreign})
        assert socket.hear("error")["error"]["code"] == "forbidden"
        socket.say({"action": "renew", "token": stack.bad_token("expired")})
        assert socket.hear("error")["error"]["status"] == 401
        longer = stack.mint("ada", "good", lifetime_seconds=8, sub=sub)
        socket.say({"action": "renew", "token": longer})
        renewed = socket.hear("token.renewed")
        assert socket.hear("error")["error"]["code"] == "token_expired"
        with pytest.raises(ConnectionClosed) as caught:
            socket.socket.recv(timeout=30)
    assert caught.value.rcvd.code == 4401
    assert renewed["expiresAt"]
