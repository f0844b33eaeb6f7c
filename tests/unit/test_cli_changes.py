"""Files deleted, restored, renamed, published and shared, as a person does it."""

import json
import os
import pty
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.cli.changes import destination
from hoist.cli.credentials import CredentialsFile
from hoist.client import Tokens
from tests.unit.fake_service import TOKEN, running_service

ISSUER = "http://127.0.0.1:9/"


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def options(service, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    credentials = CredentialsFile(tmp_path / "config/hoist/credentials.json", ISSUER)
    credentials.save(Tokens(TOKEN, time.time() + 3600))
    return ["--url", service.url, "--issuer", ISSUER]


@pytest.fixture
def hoist(options):
    return lambda *words, **more: CliRunner().invoke(main, [*options, *words], **more)


@pytest.fixture
def on_terminal(options):
    """Runs the command on a terminal where *typed* is typed; returns exit code and screen."""

    def run(*words, typed="", **environment):
        screen, terminal = pty.openpty()
        command = [sys.executable, "-c", "from hoist.cli import main; main()", *options, *words]
        with subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=os.environ | environment,
        ) as process:
            os.close(terminal)
            os.write(screen, typed.encode())
            shown = b""
            try:
                while piece := os.read(screen, 4096):
                    shown += piece
            except OSError:
                pass  # how Linux says that nobody writes any more
        os.close(screen)
        return process.returncode, shown.decode()

    return run


@pytest.fixture
def file_id(service):
    return service.keep("a.txt", b"x", folder="letters")


def test_a_file_goes_to_the_trash_and_back(hoist, service, file_id):
    assert hoist("rm", file_id).stdout == f"{file_id}\tletters/a.txt\n"
    assert hoist("ls").stdout == ""
    listed = hoist("ls", "--trash").stdout
    assert listed.endswith("letters/a.txt\t2026-02-01T00:00:00.000Z\n")
    assert hoist("restore", file_id).stdout == f"{file_id}\tletters/a.txt\n"
    assert service.files[file_id]["status"] == "stored"


def test_status_says_of_an_upload_that_its_file_is_in_the_trash_or_lost(hoist, service, file_id):
    assert "file:" not in hoist("status", file_id).stdout
    hoist("rm", file_id)
    assert "in the trash" in hoist("status", file_id).stdout
    service.files[file_id]["status"] = "missing"
    assert "missing: storage lost its bytes" in hoist("status", file_id).stdout


def test_gone_for_good_needs_a_yes_in_a_pipe(hoist, service, file_id):
    refused = hoist("rm", "--permanently", file_id)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert file_id in service.files
    done = hoist("rm", "--permanently", "--yes", file_id)
    assert (done.exit_code, done.stdout) == (0, f"{file_id}\t\n")
    assert file_id not in service.files


@pytest.mark.parametrize(("typed", "is_gone"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_gone_for_good_is_asked_about_on_a_terminal(on_terminal, service, file_id, typed, is_gone):
    code, shown = on_terminal("rm", "--permanently", file_id, typed=typed)
    assert "no way back" in shown
    assert (code == 0, file_id not in service.files) == (is_gone, is_gone)


def test_some_that_fail_have_their_own_exit_code_and_the_others_are_done(hoist, service, file_id):
    result = hoist("rm", "nothing", file_id)
    assert (result.exit_code, result.stdout) == (5, f"{file_id}\tletters/a.txt\n")
    assert "nothing: no such file (not_found)" in result.stderr
    assert "1 of 2 files failed" in result.stderr
    assert hoist("restore", "nothing").exit_code == 1


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        ("b.txt", ("b.txt", None)),
        ("photos/2026/a.jpg", ("a.jpg", "photos/2026")),
        ("photos/", (None, "photos")),
        ("/a.jpg", ("a.jpg", "")),
        ("/photos/a.jpg", ("a.jpg", "photos")),
        ("/", (None, "")),
    ],
)
def test_a_new_place_is_a_name_a_folder_or_both(new, wanted):
    assert destination(new) == wanted


def test_mv_says_where_the_file_is_now(hoist, service, file_id):
    assert hoist("mv", file_id, "b.txt").stdout == f"{file_id}\tletters/b.txt\n"
    assert hoist("mv", file_id, "/").stdout == f"{file_id}\tb.txt\n"
    assert json.loads(hoist("mv", file_id, "x/", "--json").stdout)["files"][0]["folder"] == "x"
    assert hoist("mv", file_id, "").exit_code == 2


@pytest.mark.parametrize(
    "words", [["rm"], ["publish"], ["unpublish"], ["mv"]], ids=lambda words: words[0]
)
def test_an_edit_of_an_old_revision_says_what_to_do(hoist, service, file_id, words):
    service.files[file_id]["revision"] = 4
    more = ["b.txt"] if words == ["mv"] else []
    result = hoist(*words, file_id, *more, "--if-revision", "3")
    assert result.exit_code == 1
    assert "somebody changed it meanwhile: it is revision 4 now" in result.stderr
    assert "look with `hoist ls`, then try again" in result.stderr
    assert hoist(*words, file_id, *more, "--if-revision", "4").exit_code == 0


def test_one_revision_cannot_be_of_two_files(hoist):
    assert hoist("rm", "a", "b", "--if-revision", "1").exit_code == 2


def test_a_change_that_is_not_in_force_in_time_is_a_failure(hoist, service, file_id, monkeypatch):
    monkeypatch.setattr("hoist.client.files.CONFIRM_PAUSES", (0.0,))
    service.shelf.accepts, service.shelf.looks = 1, 99
    result = hoist("mv", file_id, "b.txt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not in force yet: look with `hoist ls`, then try again" in result.stderr


def test_publishing_prints_the_public_address(hoist, service, file_id):
    other = service.keep("b.txt", b"x")
    urls = [f"{service.url}/public/{it}\n" for it in (file_id, other)]
    assert hoist("publish", file_id, other).stdout == "".join(urls)
    assert service.files[file_id]["visibility"] == "public"
    hoist("unpublish", file_id)
    assert service.files[file_id]["visibility"] == "private"


def test_a_link_is_printed_listed_and_ended(hoist, service, file_id):
    made = hoist("share", file_id, "--expires", "7d", "--max-downloads", "5")
    assert made.stdout == "http://hoist.example/s/share-0\n"
    assert service.shelf.bodies == [{"expiresInSeconds": 604_800, "downloadsMax": 5}]
    row = f"share-0\topen\t0\t5\t\t\t{file_id}\thttp://hoist.example/s/share-0\n"
    assert hoist("shares").stdout == hoist("shares", file_id).stdout == row
    assert hoist("shares", "other").stdout == ""
    assert hoist("unshare", "share-0").exit_code == 0
    assert json.loads(hoist("shares", "--json").stdout)["shares"][0]["state"] == "revoked"
    assert hoist("unshare", "share-9").exit_code == 1


def test_the_password_of_a_link_is_typed_unseen_or_read_from_a_pipe(hoist, service, file_id):
    asked = hoist("share", file_id, "--password", input="secret\nsecret\n")
    assert asked.stdout == "http://hoist.example/s/share-0\n"
    assert "secret" not in asked.output
    hoist("share", file_id, "--password-stdin", input="other\n")
    assert [body["password"] for body in service.shelf.bodies] == ["secret", "other"]
    assert hoist("share", file_id, "--password-stdin", input="").exit_code == 2
    assert hoist("share", file_id, "--password", "--password-stdin", input="x\n").exit_code == 2


def test_histories_are_lines_for_programs(hoist, service):
    step = {"step": "file.stored", "at": "2026-01-01T00:00:00.000Z", "topic": "hoist.metadata"}
    step |= {"partition": 1, "offset": 7, "worker": "w-1", "recordedBy": "w-2", "traceId": "t"}
    given = {"at": "2026-01-01T00:00:00.000Z", "by": "share", "shareId": "s", "traceId": "t"}
    first = {"step": "upload.accepted", "at": "2026-01-01T00:00:00.000Z"}
    file_id = service.keep("a.txt", b"x", steps=[first, step], given=[given])
    assert hoist("timeline", file_id).stdout.splitlines() == [
        "2026-01-01T00:00:00.000Z\tupload.accepted\t\t\t\t",
        "2026-01-01T00:00:00.000Z\tfile.stored\thoist.metadata 1:7\tw-1\tw-2\tt",
    ]
    history = hoist("history", file_id)
    assert history.stdout == "2026-01-01T00:00:00.000Z\tshare\ts\tt\n"
    assert "1 download," in history.stderr
    assert json.loads(hoist("history", file_id, "--json").stdout)["count"] == 1
    assert len(json.loads(hoist("timeline", file_id, "--json").stdout)["steps"]) == 2


def test_open_prints_in_a_pipe_and_opens_a_browser_on_a_terminal(
    hoist, on_terminal, service, file_id, tmp_path
):
    url = f"{service.url}/storage/{file_id}"
    assert hoist("open", file_id).stdout == f"{url}\n"
    code, shown = on_terminal("open", "--print", file_id)
    assert (code, shown) == (0, f"{url}\r\n")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    assert on_terminal("open", file_id, BROWSER=f"{browser} %s")[0] == 0
    ends_at = time.monotonic() + 10
    while not (tmp_path / "opened").exists() and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert (tmp_path / "opened").read_text() == url
