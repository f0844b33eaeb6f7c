"""kill -9 of any one of our processes: it comes back by itself, and the next upload works."""

import os
import signal
import time

import pytest

from tests.e2e.raw_client import RawSocket, describe, put

# One of each kind; make chaos kills all of them under load.
OURS = ["gateway-b", "upload-premium", "metadata", "bucket-events"]
PATIENCE_SECONDS = 60


def service(stack, name):
    [found] = [row for row in stack.stack.status() if row["name"] == name]
    return found


@pytest.mark.parametrize("name", OURS)
def test_a_killed_process_comes_back_and_the_next_upload_works(stack, name):
    before = service(stack, name)
    os.kill(before["pid"], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (now := service(stack, name))["pid"] == before["pid"] or now["state"] != "ready":
        assert time.monotonic() < deadline, now
    assert now["restarts"] == before["restarts"] + 1
    body = b"after the kill"
    role = "grace" if name == "upload-premium" else "ada"
    url = stack.urls[1] if name == "gateway-b" else stack.url
    with RawSocket(url, stack.new_user(role)) as socket:
        ready = socket.request(describe("after.txt", body))
        assert put(ready["upload"], body).status_code == 200
        assert socket.hear("upload.stored", file_id=ready["fileId"])
