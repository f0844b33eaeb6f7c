"""What was sent is never sent again: after kill -9 of the client, of its gateway, after expiry."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from hoist.client import Client, StaticToken
from tests.e2e.raw_client import RawSocket, new_message_id, put, rest

MIB = 1024**2
SIZE = 160 * MIB  # 20 parts
PATIENCE_SECONDS = 90
HOIST = Path(sys.executable).parent / "hoist"


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big.bin"
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(4) + block[4:])
    return path


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parts_of(s3, bucket, known=()):
    """How many parts the newest open upload has, by storage's own word."""
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    fresh = [upload for upload in uploads if upload["UploadId"] not in known]
    if not fresh:
        return 0
    listed = s3.list_parts(Bucket=bucket, Key=fresh[0]["Key"], UploadId=fresh[0]["UploadId"])
    return len(listed.get("Parts", []))


def open_ids(s3, bucket):
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return {upload["UploadId"] for upload in uploads}


def until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
    return answer


def part_requests(stack):
    """How many parts storage was sent, as its own log has it."""
    log = stack.stack.directory / "logs" / "localstack.log"
    return len(re.findall(r"s3\.UploadPart => 200", log.read_text(errors="replace")))


def environment(stack, home):
    ours = {name: stack.settings[name] for name in ("HOIST_URL", "HOIST_ISSUER", "HOIST_AUDIENCE")}
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return kept | ours | {"HOME": str(home)}


def hoist(stack, home, *arguments):
    return subprocess.run(
        [HOIST, *arguments],
        env=environment(stack, home),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS * 2,
    )


def test_an_upload_killed_midway_sends_only_the_missing_parts(stack, s3, big, tmp_path):
    hoist(stack, tmp_path, "login", "--user", "grace", "--password", "grace")
    bucket, before = stack.settings["HOIST_BUCKET"], part_requests(stack)
    known = open_ids(s3, bucket)
    first = subprocess.Popen(
        [HOIST, "upload", "--parallel", "1", big],
        env=environment(stack, tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: parts_of(s3, bucket, known) >= 5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    there = parts_of(s3, bucket, known)
    second = hoist(stack, tmp_path, "upload", big)
    [told] = re.findall(r"(\d+) of 20 parts are there", second.stderr)
    assert there <= int(told) < 20
    # A part on its way when the client died may have been sent twice, and no other.
    assert 20 <= part_requests(stack) - before <= 20 + 4
    file_id = second.stdout.split("\t")[0]
    hoist(stack, tmp_path, "download", file_id, "-o", str(tmp_path / "back.bin"))
    assert sha256(tmp_path / "back.bin") == sha256(big)


def test_an_upload_goes_on_when_the_gateway_that_held_its_socket_is_killed(
    stack, s3, big, tmp_path
):
    bucket = stack.settings["HOIST_BUCKET"]
    known, before = open_ids(s3, bucket), part_requests(stack)
    done = []
    with Client(stack.urls, StaticToken(stack.new_user("grace"))) as client:
        thread = threading.Thread(target=lambda: done.append(client.upload(big)))
        thread.start()
        until(lambda: parts_of(s3, bucket, known) >= 3)
        for row in stack.stack.status():
            if row["name"].startswith("gateway-") and row["pid"]:
                os.kill(row["pid"], signal.SIGKILL)
                break
        thread.join(PATIENCE_SECONDS * 2)
        [upload] = done
        client.download(upload.file_id, tmp_path / "back.bin")
    assert sha256(tmp_path / "back.bin") == sha256(big)
    assert 20 <= part_requests(stack) - before <= 20 + 4
    until(lambda: all(row["state"] == "ready" for row in stack.stack.status()))


def test_an_expired_signature_is_replaced_and_an_expired_upload_begins_again(stack, tiers):
    tiers(premium={"urlExpiresSeconds": 1, "multipartThreshold": 5 * MIB})
    token, message_id = stack.new_user("grace"), new_message_id()
    body = os.urandom(6 * MIB)
    file = {"name": "six.bin", "size": len(body), "contentType": "video/mp4"}
    with RawSocket(stack.url, token) as socket:
        ready = socket.request(file, message_id)
        assert ready["parts"]["count"] == 1

        def sign():
            socket.say({"action": "sign", "messageId": message_id, "parts": [{"number": 1}]})
            [part] = socket.hear("upload.parts")["parts"]
            return part

        stale = sign()
        until(lambda: put(stale, body).status_code == 403)
        assert put(sign(), body).status_code == 200
        tiers(premium={"multipartThreshold": 5 * MIB})
        socket.say({"action": "complete", "messageId": message_id})
        assert socket.hear("upload.stored", file_id=ready["fileId"])["file"]["size"] == len(body)
    answer = httpx.get(f"{stack.url}/files/{ready['fileId']}/content", headers=rest(token))
    assert httpx.get(answer.headers["Location"]).content == body
