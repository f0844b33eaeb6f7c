"""hoist watch: lines for programs, an end when asked for one, Ctrl-C as a normal end."""

import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.cli.credentials import CredentialsFile
from hoist.cli.watch import line_of
from hoist.client import Tokens
from tests.unit.fake_service import TOKEN, running_service

ISSUER = "http://127.0.0.1:9/"


@pytest.fixture
def service():
    with running_service() as service:
        service.announce({"messageId": "m-1", "file": {"name": "a", "size": 7}})
        yield service


@pytest.fixture
def options(service, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    credentials = CredentialsFile(tmp_path / "hoist/credentials.json", ISSUER)
    credentials.save(Tokens(TOKEN, time.time() + 3600))
    return ["--url", service.url, "--issuer", ISSUER]


def watching(options, *words):
    command = [sys.executable, "-c", "from hoist.cli import main; main()", *options, "watch"]
    return subprocess.Popen(
        [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_each_event_is_a_line_and_ctrl_c_a_normal_end(service, options):
    with watching(options) as process:
        assert process.stderr.readline() == "Watching; Ctrl-C ends it.\n"
        service.report("id-m-1", 4)
        line = process.stdout.readline().rstrip("\n").split("\t")
        assert line[1:] == ["upload.progress", "id-m-1", "uploading", "4", "7"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_json_lines_are_the_events(service, options):
    with watching(options, "--json") as process:
        process.stderr.readline()
        service.tell("upload.stored", "id-m-1", file=service.files["id-m-1"])
        event = json.loads(process.stdout.readline())
        assert (event["event"], event["n"], event["file"]["size"]) == ("upload.stored", 10, 7)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_until_idle_ends_when_nothing_is_unfinished(service, options):
    with watching(options, "--until-idle") as process:
        process.stderr.readline()
        service.files["id-m-1"]["status"] = "stored"
        service.tell("upload.stored", "id-m-1", file=service.files["id-m-1"])
        assert process.wait(30) == 0
        assert "upload.stored\tid-m-1\tstored\t7\t7" in process.stdout.read()


def test_nothing_to_wait_for_is_an_end(service, options):
    service.files.clear()
    result = CliRunner().invoke(main, [*options, "watch", "--until-idle"])
    assert (result.exit_code, result.stdout) == (0, "")


def test_lines_tell_what_their_event_tells():
    at = "2026-01-01T00:00:00.000Z"
    ready = {"event": "upload.ready", "at": at, "fileId": "f"}
    assert line_of(ready) == (at, "upload.ready", "f", "ready", "", "")
    flat = {"event": "upload.rejected", "at": at, "fileId": "f", "file": {"size": 9}}
    assert line_of(flat) == (at, "upload.rejected", "f", "rejected", "", 9)
