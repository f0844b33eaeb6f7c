"""Uploads that end too early go on later; folders are walked; what was said is kept."""

import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.cli.credentials import CredentialsFile
from hoist.cli.gather import gather
from hoist.client import Tokens
from tests.unit.fake_service import TOKEN, running_service

ISSUER = "http://127.0.0.1:9/"
MIB = 1024**2
BODY = random.Random(3).randbytes(9 * MIB + 1)


@pytest.fixture
def service():
    with running_service() as service:
        service.part_size = MIB
        yield service


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    credentials = CredentialsFile(tmp_path / "config/hoist/credentials.json", ISSUER)
    credentials.save(Tokens(TOKEN, time.time() + 3600))
    return tmp_path


@pytest.fixture
def hoist(service, home):
    return lambda *words: CliRunner().invoke(
        main, ["--url", service.url, "--issuer", ISSUER, *map(str, words)]
    )


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(BODY)
    return path


def journal(home):
    path = home / "state/hoist/uploads.json"
    sections = json.loads(path.read_text()) if path.exists() else {}
    return {key: entry for section in sections.values() for key, entry in section.items()}


def end_midway(service, how, *words):
    """Run the command as a process of its own and send it the signal *how* after six parts."""
    reached, go_on = threading.Event(), threading.Event()

    def before(number):
        if number == 7:
            reached.set()
            go_on.wait(30)

    service.before_part = before
    command = [sys.executable, "-c", "from hoist.cli import main; main()"]
    options = ["--url", service.url, "--issuer", ISSUER, "upload", *map(str, words)]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert reached.wait(30)
        process.send_signal(how)
        service.before_part = lambda number: None
        if how == signal.SIGINT:
            go_on.set()
        _, said = process.communicate(timeout=30)
        go_on.set()
    return process.returncode, said


def numbers_put(service):
    paths = [line.split()[1] for line in service.heard if line.startswith("PUT")]
    return [int(path.split("/")[3]) for path in paths]


def test_a_killed_upload_goes_on_where_it_was(hoist, service, home, big):
    assert end_midway(service, signal.SIGKILL, big)[0] == -signal.SIGKILL
    [message_id] = journal(home)
    there = set(service.parts[f"id-{message_id}"])
    assert len(there) >= 3
    service.heard.clear()
    result = hoist("upload", big)
    assert (result.exit_code, result.stdout) == (0, f"id-{message_id}\tbig.bin\n"), result.stderr
    # One more may have been on its way when the process died.
    found = re.search(r"resuming big.bin: (\d+) of 10 parts are there\n", result.stderr)
    assert len(numbers_put(service)) == 10 - int(found[1])
    assert not set(numbers_put(service)) & there
    assert service.bodies[f"id-{message_id}"] == BODY
    assert journal(home) == {}


def test_ctrl_c_keeps_what_is_there_and_says_how_to_go_on(hoist, service, home, big):
    code, said = end_midway(service, signal.SIGINT, big)
    assert code == 130
    assert "`hoist upload --resume`" in said
    [message_id] = journal(home)
    result = hoist("upload", "--resume")
    assert result.stdout == f"id-{message_id}\tbig.bin\n"
    assert "parts are there" in result.stderr
    assert hoist("upload", "--resume").stderr == "There is nothing to upload.\n"


def leave(hoist, service, *words):
    """An upload that gateway troubles end."""
    service.refusal = {"code": "unavailable", "status": 503, "detail": "down"}
    service.refusal |= {"retriable": True, "retryAfterSeconds": 1000}  # nobody waits so long
    assert hoist("upload", *words).exit_code != 0
    service.refusal = None


def test_the_journal_is_for_its_owner_and_matches_the_whole_command(hoist, service, home, big):
    leave(hoist, service, big)
    leave(hoist, service, big, "--public")
    leave(hoist, service, big)
    assert stat.S_IMODE((home / "state/hoist/uploads.json").stat().st_mode) == 0o600
    assert len(journal(home)) == 2
    hoist("upload", big)
    [left] = journal(home).values()
    assert left["visibility"] == "public"


def test_a_changed_file_is_another_upload(hoist, service, home, big):
    leave(hoist, service, big)
    [old] = journal(home)
    big.write_bytes(BODY + b"more")
    leave(hoist, service, big)
    [new] = journal(home)
    assert new != old


def test_resume_names_and_forgets_what_changed_or_went(hoist, service, home, big, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    leave(hoist, service, big, other)
    other.unlink()
    result = hoist("upload", "--resume")
    assert f"{other}: changed or gone since, not resumed" in result.stderr
    assert result.stdout.endswith("\tbig.bin\n")
    assert journal(home) == {}


def test_restart_and_message_id_overrule_the_journal(hoist, service, home, big):
    leave(hoist, service, big)
    [old] = journal(home)
    leave(hoist, service, big, "--restart")
    [new] = journal(home)
    assert new != old
    assert hoist("upload", big, "--message-id", "m-1").stdout == "id-m-1\tbig.bin\n"
    assert list(journal(home)) == [new]


def test_a_final_refusal_leaves_nothing_to_resume(hoist, service, home, big):
    service.refusal = {"code": "quota_exceeded", "status": 403, "detail": "full"}
    assert hoist("upload", big).exit_code == 1
    assert journal(home) == {}


def test_cancelling_forgets_the_upload(hoist, service, home, big):
    service.put_statuses = [503] * 40
    assert hoist("upload", big).exit_code == 1
    [message_id] = journal(home)
    service.put_statuses.clear()
    told = hoist("status", f"id-{message_id}").stdout
    assert "0 of 10 parts" in told
    assert "0 B of 9 MiB" in told
    result = hoist("cancel", f"id-{message_id}")
    assert (result.exit_code, result.stderr) == (0, f"Cancelled id-{message_id}.\n")
    assert journal(home) == {}
    assert hoist("status", f"id-{message_id}").stdout.splitlines()[1].endswith("cancelled")


@pytest.mark.parametrize("words", [[], ["--resume", __file__], ["--resume", "--restart"]])
def test_what_makes_no_sense_is_wrong_usage(hoist, words):
    assert hoist("upload", *words).exit_code == 2


def make_album(root):
    album = root / "album"
    for name in ("b.txt", "a.txt", "sub/ c d.txt", "sub/\\odd/\u00e4\n.txt", "sub/deep/x.txt"):
        path = album / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (album / "loop").symlink_to(album)
    (album / "linked.txt").symlink_to(album / "a.txt")
    (album / "broken").symlink_to(root / "nothing")
    os.mkfifo(album / "pipe")
    (album / os.fsdecode(b"bytes\xff.txt")).write_bytes(b"bytes")
    return album


def test_a_folder_is_walked_in_order_and_each_file_keeps_its_place(tmp_path, capsys):
    found = [(path.name, folder) for path, folder in gather([make_album(tmp_path)])]
    assert found == [
        ("a.txt", "album"),
        ("b.txt", "album"),
        ("bytes\udcff.txt", "album"),
        ("linked.txt", "album"),
        (" c d.txt", "album/sub"),
        ("\u00e4\n.txt", "album/sub/_odd"),
        ("x.txt", "album/sub/deep"),
    ]
    left_out = capsys.readouterr().err
    assert "broken: not a regular file" in left_out
    assert "pipe: not a regular file" in left_out


def test_a_folder_arrives_and_is_listed_with_its_paths(hoist, service, tmp_path):
    album = make_album(tmp_path)
    result = hoist("upload", album, "--parallel", "1")
    assert result.exit_code == 0, result.stderr
    names = [line.split("\t")[1] for line in result.stdout.splitlines()]
    assert names[:2] == ["album/a.txt", "album/b.txt"]
    assert "album/sub/_odd/\u00e4\\n.txt" in names
    assert "album/bytes\ufffd.txt" in names
    listed = [line.split("\t")[4] for line in hoist("ls", "--all").stdout.splitlines()]
    assert sorted(listed) == sorted(names)


def test_the_folder_one_stands_in_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a.txt").write_bytes(b"a")
    monkeypatch.chdir(tmp_path / "here")
    [(_, folder)] = gather([type(tmp_path)(".")])
    assert folder == "here"
