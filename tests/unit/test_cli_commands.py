"""The command as a person runs it, against a real little gateway: output, exit codes, advice."""

import json
import socket
import stat
import time

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.cli.credentials import CredentialsFile
from hoist.cli.output import printable
from hoist.client import Tokens
from tests.unit.fake_service import TOKEN, running_service

ISSUER = "http://127.0.0.1:9/"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return CredentialsFile(tmp_path / "config/hoist/credentials.json", ISSUER)


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def hoist(service, config):
    config.save(Tokens(TOKEN, time.time() + 3600))
    return lambda *words: CliRunner().invoke(
        main, ["--url", service.url, "--issuer", ISSUER, *words]
    )


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"hello, world")
    return path


@pytest.mark.parametrize("way", [[], ["--rest"]])
def test_upload_prints_the_id_and_the_name(hoist, service, notes, way):
    result = hoist("upload", str(notes), "--public", "--message-id", "m-1", *way)
    assert (result.exit_code, result.stdout) == (0, "id-m-1\tnotes.txt\n"), result.stderr
    assert service.files["id-m-1"]["visibility"] == "public"


def test_upload_as_json_has_the_files_and_the_problems(hoist, notes):
    answer = json.loads(hoist("upload", str(notes), "--json").stdout)
    assert [file["name"] for file in answer["files"]] == ["notes.txt"]
    assert answer["problems"] == []


def test_some_failed_files_have_their_own_exit_code(hoist, service, notes, tmp_path):
    other = tmp_path / "other.txt"
    other.write_bytes(b"other")
    service.put_statuses = [400]
    result = hoist("upload", str(notes), str(other), "--parallel", "1")
    assert result.exit_code == 5
    assert result.stdout.endswith("\tother.txt\n")
    assert "notes.txt: storage refused with 400" in result.stderr
    assert "1 of 2 files failed" in result.stderr


LARGE = {"size": 2**30, "limit": 100 * 2**20, "tier": "basic", "premiumLimit": 5 * 2**30}
MANY = {"limit": 1200, "inUse": 1200, "clearsAt": "2026-01-01T00:01:00.000Z"}


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (LARGE, "The limit is 100 MiB. Premium allows 5 GiB."),
        (LARGE | {"inUse": 7 * 2**20}, "100 MiB, of which 7 MiB is in use. Premium allows 5 GiB."),
        (
            MANY | {"premiumLimit": 12000},
            "The limit is 1200, of which 1200 is in use. This clears at "
            "2026-01-01T00:01:00.000Z. Premium allows 12000.",
        ),
        (MANY | {"premiumLimit": 1200}, "This clears at 2026-01-01T00:01:00.000Z."),
        ({"limit": 200, "retryAfterSeconds": 9}, "The limit is 200. Try again in 9 s."),
    ],
)
def test_a_refusal_is_one_line_with_the_way_out_and_exit_code_1(
    hoist, service, notes, refusal, said
):
    service.refusal = {"code": "no", "status": 413, "detail": "too much", **refusal}
    result = hoist("upload", str(notes))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {notes}: too much. ")
    assert result.stderr.endswith(said + "\n")


def test_one_message_id_cannot_name_two_files(hoist, notes):
    assert hoist("upload", str(notes), str(notes), "--message-id", "m").exit_code == 2


def test_status_ls_and_whoami_read_well_for_people_and_programs(hoist, notes):
    hoist("upload", str(notes), "--message-id", "m-1")
    assert "state:   stored" in hoist("status", "id-m-1").stdout
    assert json.loads(hoist("status", "id-m-1", "--json").stdout)["state"] == "stored"
    assert hoist("ls").stdout == "id-m-1\tstored\t12\t2026-01-01T00:00:00.000Z\tnotes.txt\n"
    assert json.loads(hoist("ls", "--all", "--json").stdout)["nextCursor"] is None
    told = hoist("whoami").stdout
    assert "auth0|ada" in told
    assert "3 MiB of 10 GiB" in told
    assert "0 of 100 at once" in told
    assert json.loads(hoist("whoami", "--json").stdout)["tier"] == "basic"


def test_ls_says_that_there_are_more(hoist, service):
    for number in range(3):
        service.announce({"messageId": f"m-{number}", "file": {"name": "a", "size": 1}})
    result = hoist("ls", "--limit", "2")
    assert len(result.stdout.splitlines()) == 2
    assert "--all" in result.stderr
    assert len(hoist("ls", "--all").stdout.splitlines()) == 3


def test_a_download_never_replaces_a_file_nobody_named(hoist, notes, tmp_path, monkeypatch):
    hoist("upload", str(notes), "--message-id", "m-1")
    monkeypatch.chdir(tmp_path)
    refused = hoist("download", "id-m-1")
    assert refused.exit_code == 1
    assert "choose another name with -o" in refused.stderr
    notes.unlink()
    assert hoist("download", "id-m-1").stdout == "notes.txt\n"
    assert hoist("download", "id-m-1", "-o", "notes.txt").exit_code == 0
    assert notes.read_bytes() == b"hello, world"


def test_a_download_stays_in_its_folder_whatever_the_file_is_called(hoist, service, tmp_path):
    service.announce({"messageId": "m-1", "file": {"name": "../../x\x1b", "size": 1}})
    service.bodies["id-m-1"] = b"x"
    result = hoist("download", "id-m-1", "-o", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/x_\n"), result.stderr


def test_an_unknown_id_is_exit_code_1(hoist):
    result = hoist("status", "nothing")
    assert (result.exit_code, result.stderr) == (1, "Error: no such file (not_found)\n")


def test_without_a_login_the_advice_is_to_log_in(hoist, config):
    config.save(None)
    result = hoist("ls")
    assert (result.exit_code, result.stderr) == (
        3,
        "Error: you are not logged in: run `hoist login`\n",
    )


def test_without_a_gateway_the_advice_is_to_start_the_stack(config):
    config.save(Tokens(TOKEN, time.time() + 3600))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = CliRunner().invoke(main, ["--url", url, "--issuer", ISSUER, "ls"])
    assert result.exit_code == 4
    assert "`make up`" in result.stderr


def test_credentials_are_for_their_owner_only_and_one_per_issuer(config):
    config.save(Tokens("one", 1.0))
    other = CredentialsFile(config.path, "https://other/")
    other.save(Tokens("two", 2.0, "refresh"))
    assert stat.S_IMODE(config.path.stat().st_mode) == 0o600
    assert (config.load(), other.load()) == (Tokens("one", 1.0), Tokens("two", 2.0, "refresh"))
    other.save(None)
    assert (config.load(), other.load()) == (Tokens("one", 1.0), None)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    assert "_HOIST_COMPLETE" in CliRunner().invoke(main, ["completion", shell]).stdout


def test_help_tells_the_exit_codes():
    help_text = CliRunner().invoke(main, ["--help"]).stdout
    assert "3  not logged in" in help_text
    assert "5  some of the files failed" in help_text


def test_names_cannot_move_the_cursor():
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
