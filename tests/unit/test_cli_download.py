"""Lists and downloads of many files, as a person asks for them."""

import itertools
import json
import signal
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.cli.credentials import CredentialsFile
from hoist.client import Tokens
from tests.unit.fake_service import TOKEN, running_service

ISSUER = "http://127.0.0.1:9/"
FILTERS = (
    *("--public", "--name", "ü", "--type", "image/*", "--from", "2026-01-31"),
    *("--to", "2026-02-01T00:00:00+01:00", "--min-size", "1kB", "--max-size", "1MiB"),
    *("--folder", "photos/"),
)
QUERY = {
    "visibility": "public",
    "name": "ü",
    "type": "image/*",
    "createdFrom": "2026-01-31T00:00:00Z",
    "createdTo": "2026-01-31T23:00:00Z",
    "sizeMin": "1000",
    "sizeMax": "1048576",
    "folder": "photos/",
}


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def hoist(service, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    credentials = CredentialsFile(tmp_path / "config/hoist/credentials.json", ISSUER)
    credentials.save(Tokens(TOKEN, time.time() + 3600))
    return lambda *words: CliRunner().invoke(
        main, ["--url", service.url, "--issuer", ISSUER, *map(str, words)]
    )


def asked(service):
    return service.shelf.asked[0]


def test_ls_passes_every_filter_on(hoist, service):
    result = hoist("ls", *FILTERS, "--status", "stored", "--status", "expired", "--sort", "name")
    assert result.exit_code == 0, result.stderr
    more = {"limit": "50", "sort": "name", "status": "stored,expired"}
    assert asked(service) == ("GET", "/files", QUERY | more)


@pytest.mark.parametrize(
    ("words", "sort"),
    [
        ([], "-created"),
        (["--reverse"], "created"),
        (["--sort", "name"], "name"),
        (["--sort", "name", "--reverse"], "-name"),
        (["--sort", "size"], "-size"),
        (["--sort", "size", "--reverse"], "size"),
    ],
)
def test_ls_begins_with_the_newest_the_first_or_the_largest(hoist, service, words, sort):
    hoist("ls", *words)
    assert asked(service)[2]["sort"] == sort


def test_ls_goes_on_through_short_pages_until_it_has_enough(hoist, service):
    for number in range(7):
        service.keep(f"{number}", b"x")
    service.shelf.empty_pages = 2
    result = hoist("ls", "--limit", "5")
    assert len(result.stdout.splitlines()) == 5
    assert "There are more" in result.stderr
    assert json.loads(hoist("ls", "--limit", "5", "--json").stdout)["nextCursor"] == "5"
    assert "There are more" not in hoist("ls", "--limit", "7").stderr


@pytest.mark.parametrize(
    "words",
    [
        ["ls", "--trash", "--status", "stored"],
        ["ls", "--status", "deleted"],
        ["ls", "--min-size", "big"],
        ["ls", "--from", "yesterday"],
        ["download"],
        ["download", "--all", "--zip", "-o", "x"],
        ["download", "id", "--all", "-o", "x"],
        ["download", "id", "--public"],
        ["download", "--all"],
        ["download", "--zip"],
        ["download", "--zip", "-o", "."],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_wrong_usage(hoist, service, words):
    assert hoist(*words).exit_code == 2
    assert service.shelf.asked == []


def test_all_files_come_into_a_folder_and_only_once(hoist, service, tmp_path):
    one = service.keep("a.txt", b"1", folder="letters")
    other = service.keep("../../b\x1b.txt", b"2")
    result = hoist("download", "--all", *FILTERS, "-o", tmp_path / "out")
    lines = f"{one}\t{tmp_path}/out/letters/a.txt\n{other}\t{tmp_path}/out/b_.txt\n"
    assert (result.exit_code, result.stdout) == (0, lines), result.stderr
    assert "2 files: 2 fetched, 0 were there" in result.stderr
    assert asked(service)[2] == QUERY | {"limit": "200", "status": "stored"}
    again = hoist("download", "--all", "-o", tmp_path / "out", "--json")
    assert len(json.loads(again.stdout)["files"]) == 2
    assert "2 files: 0 fetched, 2 were there" in again.stderr
    assert len(service.storage.ranges) == 2


def test_some_that_fail_are_named_and_have_their_own_exit_code(hoist, service, tmp_path):
    service.keep("a.txt", b"bad")
    one = service.keep("b.txt", b"2")
    service.storage.broken = {b"bad"}
    result = hoist("download", "--all", "-o", tmp_path / "out", "--at-once", "1")
    assert (result.exit_code, result.stdout) == (5, f"{one}\t{tmp_path}/out/b.txt\n")
    assert "a.txt: storage refused with 400" in result.stderr
    assert "1 of 2 files failed" in result.stderr


def test_nothing_to_download_is_said(hoist, tmp_path):
    result = hoist("download", "--all", "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to download" in result.stderr


def test_a_zip_is_asked_for_awaited_and_written(hoist, service, tmp_path):
    service.bodies["zip"] = b"PK"
    ready = {"state": "ready", "files": 2, "downloadUrl": f"{service.url}/storage/zip"}
    service.shelf.archive = [ready]
    path = tmp_path / "all.zip"
    result = hoist("download", "--zip", *FILTERS, "-o", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}\n"), result.stderr
    assert path.read_bytes() == b"PK"
    assert asked(service) == ("POST", "/archives", QUERY)


@pytest.fixture
def folder(service, tmp_path):
    """Where a zip goes that is ready, and larger than one read."""
    service.bodies["zip"] = bytes(500_000)
    ready = {"state": "ready", "files": 2, "downloadUrl": f"{service.url}/storage/zip"}
    service.shelf.archive = [ready]
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_an_interrupted_zip_leaves_nothing_and_promises_nothing(hoist, service, folder):
    pieces, reached, go_on = itertools.count(), threading.Event(), threading.Event()

    def before_piece():
        if next(pieces) == 10:
            reached.set()
            go_on.wait(30)

    service.storage.before_piece = before_piece
    command = [sys.executable, "-c", "from hoist.cli import main; main()", "--url", service.url]
    words = ["--issuer", ISSUER, "download", "--zip", "-o", folder / "all.zip"]
    with subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True) as process:
        assert reached.wait(30)
        while not any(path.stat().st_size > 100_000 for path in folder.iterdir()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        go_on.set()
    assert process.returncode == 130
    assert "begins anew" in said
    assert "goes on" not in said
    assert list(folder.iterdir()) == []


def test_a_zip_of_nothing_is_a_failure(hoist, tmp_path):
    result = hoist("download", "--zip", "-o", tmp_path / "all.zip")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing_to_archive" in result.stderr


def test_status_tells_the_revision(hoist, service):
    file_id = service.keep("a.txt", b"x", revision=4)
    assert "revision: 4" in hoist("status", file_id).stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("hoist un", "plain,unpublish\nplain,unshare\n"),
        ("hoist ls --so", "plain,--sort\n"),
        ("hoist ls --status r", "plain,rejected\n"),
    ],
)
def test_what_is_typed_in_a_shell_is_completed(words, completed):
    typed = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    environment = {"_HOIST_COMPLETE": "bash_complete", **typed}
    told = CliRunner().invoke(main, [], prog_name="hoist", env=environment)
    assert told.stdout == completed
