"""Many files into one folder: distinct, in parallel, and each only once."""

import json
import os
import threading

import pytest

from hoist.client import HoistProblem, NotLoggedIn
from hoist.client.download_all import DownloadAll
from hoist.client.folder import folder_at
from hoist.client.local_paths import INDEX_NAME
from tests.unit.downloading import client, service  # noqa: F401


@pytest.fixture
def into(tmp_path):
    return tmp_path / "new" / "into"


def tree(into):
    """Each file below *into* with its bytes, the index left out."""
    found = {str(path.relative_to(into)): path for path in into.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != INDEX_NAME}


def problems(found):
    return [item.problem for item in found if item.problem]


def test_stored_files_arrive_in_their_folders_and_others_do_not(client, service, into):
    service.keep("a.txt", b"1", folder="photos/2026")
    service.keep("a.txt", b"2")
    service.keep("b.txt", b"3", status="expired")
    found = client.download_all(into, at_once=2, folder="photos/")
    assert tree(into) == {"photos/2026/a.txt": b"1", "a.txt": b"2"}
    assert service.shelf.asked[0][2] == {"limit": "200", "status": "stored", "folder": "photos/"}
    assert {item.path for item in found} == {into / "a.txt", into / "photos/2026/a.txt"}


def test_a_second_run_fetches_and_reads_nothing_that_is_there(client, service, into):
    service.keep("a.txt", b"1")
    service.keep("A.txt", b"2")
    client.download_all(into)
    there = (into / "a.txt").stat()
    (into / "a.txt").unlink()
    (into / "a.txt").write_bytes(b"?")  # as long as before, and of the same time
    os.utime(into / "a.txt", ns=(there.st_mtime_ns, there.st_mtime_ns))
    service.keep("b.txt", b"3")
    found = client.download_all(into)
    assert [item.was_there for item in found] == [True, True, False]
    assert len(service.storage.ranges) == 3
    assert tree(into) == {"a.txt": b"?", "A (2).txt": b"2", "b.txt": b"3"}


def test_without_its_index_the_names_and_files_are_found_again(client, service, into):
    for body in (b"1", b"2", b"3"):
        service.keep("a.txt", body)
    client.download_all(into)
    (into / INDEX_NAME).unlink()
    found = client.download_all(into)
    assert all(item.was_there for item in found)
    assert tree(into) == {"a.txt": b"1", "a (2).txt": b"2", "a (3).txt": b"3"}


def test_what_is_there_is_never_replaced_and_what_is_gone_comes_again(client, service, into):
    into.mkdir(parents=True)
    (into / "a.txt").write_bytes(b"mine")
    service.keep("a.txt", b"1")
    service.keep("b.txt", b"2")
    client.download_all(into)
    assert tree(into) == {"a.txt": b"mine", "a (2).txt": b"1", "b.txt": b"2"}
    (into / "a (2).txt").write_bytes(b"edited")
    (into / "b.txt").unlink()
    client.download_all(into)
    client.download_all(into)
    assert tree(into) == {
        "a.txt": b"mine",
        "a (2).txt": b"edited",
        "a (3).txt": b"1",
        "b.txt": b"2",
    }


def test_a_touched_file_is_read_and_found_right(client, service, into):
    service.keep("a.txt", b"1")
    client.download_all(into)
    os.utime(into / "a.txt", (0, 0))
    assert [item.was_there for item in client.download_all(into)] == [True]


def test_a_file_that_was_renamed_meanwhile_comes_under_its_new_name(client, service, into):
    file_id = service.keep("a.txt", b"1")
    client.download_all(into)
    client.change(file_id, name="b.txt")
    client.download_all(into)
    assert tree(into) == {"a.txt": b"1", "b.txt": b"1"}


def test_one_that_fails_does_not_stop_the_others(client, service, into):
    service.keep("a.txt", b"1")
    service.keep("b.txt", b"bad")
    service.keep("c.txt", b"3")
    service.storage.broken = {b"bad"}
    found = client.download_all(into, at_once=1)
    assert [problem.code for problem in problems(found)] == ["storage_refused"]
    assert tree(into) == {"a.txt": b"1", "c.txt": b"3"}
    service.storage.broken = set()
    again = client.download_all(into)
    assert [item.was_there for item in again] == [True, False, True]


def test_what_was_interrupted_goes_on_at_the_next_run(client, service, into):
    body = bytes(range(256)) * 1000
    service.keep("a.txt", body)
    service.storage.cuts = [100_000, *[0] * 20]
    assert len(problems(client.download_all(into))) == 1
    service.storage.cuts.clear()
    assert problems(client.download_all(into)) == []
    assert service.storage.ranges[-1] == "bytes=100000-"
    assert tree(into) == {"a.txt": body}


def test_so_many_files_come_at_once(client, service, into):
    together = threading.Barrier(3)
    service.storage.before_piece = lambda: together.wait(10) and None
    for number in range(6):
        service.keep(f"{number}", str(number).encode())
    assert problems(client.download_all(into, at_once=3)) == []


def test_a_login_that_ends_ends_all(into):
    def fetch(file, path, on_progress):
        raise NotLoggedIn("you are not logged in")

    many = DownloadAll(fetch, lambda: None, lambda file: lambda done: None)
    files = [{"fileId": "f", "name": "a", "size": 1, "createdAt": ""}]
    with pytest.raises(NotLoggedIn):
        many.run(files, into, 1)


def test_a_folder_is_for_one_process_at_a_time(client, into):
    with folder_at(into):
        with pytest.raises(HoistProblem) as caught:
            client.download_all(into)
    assert caught.value.code == "folder_in_use"
    assert client.download_all(into) == []


def test_a_file_called_like_the_index_does_not_become_it(client, service, into):
    service.keep(INDEX_NAME, b"{}")
    client.download_all(into)
    assert tree(into) == {f"_{INDEX_NAME}": b"{}"}
    assert json.loads((into / INDEX_NAME).read_text())["files"]
