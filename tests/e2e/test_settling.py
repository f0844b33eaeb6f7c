"""Nothing half-done is left behind: kill -9 of everything of ours amid 200 uploads."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.raw_client import describe, new_message_id, put, rest, sign_parts

MIB = 1024**2
COUNT, PATIENCE_SECONDS = 200, 240
OURS = ("gateway-", "upload-", "metadata", "bucket-events", "janitor")
HOIST = Path(sys.executable).parent / "hoist"


def reconcile(stack, *arguments):
    """``hoist admin reconcile`` as an operator runs it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [HOIST, "admin", "reconcile", *arguments],
        env=kept | stack.settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def open_uploads(s3, stack):
    listed = s3.list_multipart_uploads(Bucket=stack.settings["HOIST_BUCKET"])
    return [upload["Key"] for upload in listed.get("Uploads", [])]


def ask(url, token, number):
    """A URL, used or not; every third upload is in parts, half of them left unfinished."""
    body = b"x" * (6 * MIB if number % 3 == 0 else 1000)
    request = {"messageId": new_message_id(), "file": describe(f"{number}.bin", body)}
    headers = rest(token) | {"Prefer": "wait=10"}
    try:
        answer = httpx.post(f"{url}/files/upload", json=request, headers=headers, timeout=30)
        if answer.status_code != 201:
            return
        upload = answer.json()
        if "parts" in upload:
            [part] = sign_parts(url, token, upload["fileId"], [1])
            if number % 2:
                put(part, body)
        elif number % 2:
            put(upload["upload"], body)
    except httpx.TransportError:
        return  # its gateway was killed: nobody knows what became of it, and that is the point


def test_whatever_was_under_way_is_settled_within_its_time(stack, s3, tiers):
    tiers(premium={"urlExpiresSeconds": 5, "multipartThreshold": 5 * MIB})
    token = stack.new_user("grace")
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask, stack.urls[number % 2], token, number) for number in range(COUNT)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while sum(each.done() for each in asked) < COUNT // 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for row in stack.stack.status():
            if row["name"].startswith(OURS) and row["pid"]:
                os.kill(row["pid"], signal.SIGKILL)
        for each in asked:
            each.result()

    def unsettled():
        """Rows that are pending, and parts that are open, in the eyes of store and storage."""
        headers, files, cursor = rest(token), [], None
        while True:
            params = {"limit": 200} | ({"cursor": cursor} if cursor else {})
            try:
                answer = httpx.get(f"{stack.url}/files", params=params, headers=headers)
            except httpx.TransportError:
                return ["the gateway is not back yet"]
            if answer.status_code != 200:
                return [answer.text]
            files += answer.json()["files"]
            cursor = answer.json()["nextCursor"]
            if not cursor:
                break
        pending = [file["fileId"] for file in files if file["status"] == "pending"]
        return pending + sorted(open_uploads(s3, stack))

    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := unsettled():
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
    use = httpx.get(f"{stack.url}/me", headers=rest(token)).json()["use"]
    assert use["reservedBytes"] == 0

    while (told := reconcile(stack, "--dry-run")).returncode:
        # A lost bucket event comes again within the queue's own time.
        assert time.monotonic() < deadline, told.stdout + told.stderr
        time.sleep(1)
    assert "agree" in told.stderr


def test_reconcile_tells_without_changing_and_then_repairs(stack, s3, tiers):
    tiers(basic={"urlExpiresSeconds": 1}, premium={"urlExpiresSeconds": 1})
    bucket, key = stack.settings["HOIST_BUCKET"], "files/aa/aa000000-0000-5000-8000-000000000000"
    s3.put_object(Bucket=bucket, Key=key, Body=b"nobody asked for this")
    deadline = time.monotonic() + PATIENCE_SECONDS
    assert key not in reconcile(stack).stdout  # its event may still wait in the log
    while key not in (told := reconcile(stack, "--unknown-after", "0")).stdout:
        assert time.monotonic() < deadline, told.stdout + told.stderr
        time.sleep(1)
    assert told.returncode == 1
    assert "--repair" in told.stderr
    assert s3.head_object(Bucket=bucket, Key=key)
    assert reconcile(stack, "--repair", "--unknown-after", "0").returncode == 0
    assert key not in reconcile(stack, "--unknown-after", "0").stdout
    with pytest.raises(s3.exceptions.ClientError):
        s3.head_object(Bucket=bucket, Key=key)


def test_reconcile_without_settings_says_how_to_get_them(stack):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    told = subprocess.run(
        [HOIST, "admin", "reconcile"], env=kept, capture_output=True, text=True, check=False
    )
    assert told.returncode != 0
    assert "Traceback" not in told.stderr
    assert "missing setting" in told.stderr
