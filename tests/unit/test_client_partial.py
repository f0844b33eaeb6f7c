"""What is left of a download that ended too early: when, whose, and what the next one does."""

import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from hoist.client import HoistProblem
from tests.unit.downloading import (  # noqa: F401
    AT_ONCE,
    BODY,
    NEVER,
    client,
    hasty,
    only,
    partial,
    service,
    target,
)
from tests.unit.fake_service import TOKEN


@pytest.mark.parametrize(("status", "leaves"), [(503, True), (403, True), (404, False)])
def test_only_what_may_go_on_later_leaves_a_partial(hasty, service, target, status, leaves):
    file_id = service.keep("a.bin", BODY)
    path = partial(service, file_id, target)
    path.write_bytes(BODY[:1000])
    service.storage.statuses = [status]
    with pytest.raises(HoistProblem):
        hasty.download(file_id, target)
    assert path.exists() == leaves


def test_a_stopped_download_raises_stopped_and_keeps_its_bytes(client, service, target):
    file_id = service.keep("a.bin", BODY)
    with pytest.raises(HoistProblem) as caught:
        client.download(file_id, target, on_progress=lambda done: done and client.stop())
    assert caught.value.code == "stopped"
    assert partial(service, file_id, target).stat().st_size > 0


def test_two_downloads_of_one_target_do_not_disturb_each_other(client, service, target):
    file_id = service.keep("a.bin", BODY)
    both = threading.Barrier(2)
    meet = [both.wait, both.wait]
    lock = threading.Lock()

    def before_piece():
        with lock:
            wait = meet.pop() if meet else None
        if wait:
            wait(10)

    service.storage.before_piece = before_piece
    threads = [threading.Thread(target=client.download, args=(file_id, target)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert only(target) == BODY
    assert service.storage.ranges == [None, None]


def test_a_partial_that_another_process_holds_is_left_alone(client, service, target):
    file_id = service.keep("a.bin", BODY)
    path = partial(service, file_id, target)
    path.write_bytes(b"theirs")
    with path.open() as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        client.download(file_id, target)
    assert target.read_bytes() == BODY
    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_partial_that_is_a_link_is_not_followed(client, service, target, tmp_path, link):
    file_id = service.keep("a.bin", BODY)
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    link(precious, partial(service, file_id, target))
    client.download(file_id, target)
    assert (precious.read_bytes(), target.read_bytes()) == (b"mine", BODY)


def test_a_name_of_255_bytes_has_room_for_a_partial(client, service, target):
    file_id = service.keep("a.bin", BODY)
    long = target.with_name("🙂" * 62 + "abc.bin")
    service.storage.cuts = [100_000]
    client.download(file_id, long)
    assert only(long) == BODY


def test_a_missing_folder_is_said_by_its_name(client, service, tmp_path):
    file_id = service.keep("a.bin", BODY)
    with pytest.raises(FileNotFoundError) as caught:
        client.download(file_id, tmp_path / "nowhere" / "a.bin")
    assert caught.value.filename == str(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        client.download(file_id, tmp_path)


KILLED = """
import sys
from hoist.client import Client, StaticToken
url, token, file_id, target = sys.argv[1:]
with Client([url], StaticToken(token)) as client:
    client.download(file_id, target, on_progress=lambda done: print(done, flush=True))
"""


def test_a_killed_download_is_resumed_by_the_next_process(client, service, target):
    file_id = service.keep("a.bin", BODY)
    go_on, pieces = threading.Event(), iter(range(5))
    # Storage gives five pieces, and no more before the download is dead.
    service.storage.before_piece = lambda: next(pieces, None) is None and go_on.wait(60)
    command = [sys.executable, "-c", KILLED, service.url, TOKEN, file_id, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if int(line) > 0)
        process.send_signal(signal.SIGKILL)
    go_on.set()
    there = partial(service, file_id, target).stat().st_size
    assert 0 < there < len(BODY)
    client.download(file_id, target)
    assert only(target) == BODY
    assert service.storage.ranges[-1] == f"bytes={there}-"
