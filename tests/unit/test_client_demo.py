"""The demo's story: told in order, from the client's view and the processes' log lines."""

import io
import json

import pytest
from rich.console import Console

from emulation import demo
from emulation.demo_logs import Hop, worker_hops
from hoist.client import Client, HoistProblem, StaticToken
from hoist.client.problems import Retry
from tests.unit.fake_service import TOKEN, TRACE, running_service

LINES = [
    {"message": "request accepted", "topic": "t", "partition": 0, "offset": 1},
    {"message": "url granted", "topic": "t", "partition": 0, "offset": 1},
    {"message": "row written", "status": "pending", "version": 1},
    {"message": "object arrived", "key": "files/ab/abc", "size": 3},
    {"message": "row written", "status": "stored", "version": 2},
    {"message": "cache invalidated", "userId": "auth0|ada"},
]


def write_logs(folder, lines, trace_id):
    common = {"time": "2026-01-01T00:00:00.250Z", "service": "worker", "traceId": trace_id}
    text = "\n".join(json.dumps({**common, **line}) for line in lines)
    (folder / "worker.log").write_text(f"not json {trace_id}\n{text}\n")


def test_every_hop_of_the_trace_is_found_and_nothing_of_another(tmp_path):
    write_logs(tmp_path, LINES, TRACE)
    hops, missing = worker_hops(tmp_path, TRACE, lambda: 0.0, lambda seconds: None)
    assert (len(hops), missing) == (6, [])
    assert hops[1] == Hop(1767225600.25, "worker", "URL signed for t/0/1")
    times = iter(range(100))
    found, missing = worker_hops(tmp_path, "b" * 32, lambda: next(times), lambda seconds: None)
    assert (found, len(missing)) == ([], 6)


def test_lines_that_come_late_are_waited_for(tmp_path):
    write_logs(tmp_path, LINES[:3], TRACE)
    hops, missing = worker_hops(
        tmp_path, TRACE, lambda: 0.0, lambda seconds: write_logs(tmp_path, LINES, TRACE)
    )
    assert (len(hops), missing) == (6, [])


@pytest.mark.parametrize("corrupts", [False, True])
def test_the_demo_tells_the_way_of_one_file(tmp_path, monkeypatch, corrupts):
    monkeypatch.setattr(demo, "FILE_BYTES", 3 * 10**6)
    write_logs(tmp_path, LINES, TRACE)
    narrator, told = demo.Narrator(), io.StringIO()
    with (
        running_service() as service,
        Client([service.url], StaticToken(TOKEN), on_event=narrator, retry=Retry(())) as client,
    ):
        service.storage.corrupts = 9 if corrupts else 0
        console = Console(file=told, width=200)
        if corrupts:
            with pytest.raises(HoistProblem, match="differs"):
                demo.run(client, narrator, tmp_path, tmp_path, console)
            return
        demo.run(client, narrator, tmp_path, tmp_path, console)
    story = told.getvalue()
    assert f"trace {TRACE}" in story
    assert "accepted at hoist.ingest.basic/1/7" in story
    assert "X-Amz-Signature=(redacted)" in story
    assert "S3 event received: files/ab/abc, 3 bytes" in story
    assert "It is the file that was sent." in story


def test_the_port_base_shifts_every_default():
    place = demo.Place.from_env({"STACK_PORT_BASE": "14500", "STACK_DIR": "/s"})
    assert place.urls == ("http://127.0.0.1:14500", "http://127.0.0.1:14501")
    assert place.issuer == "http://127.0.0.1:14503/"
    assert str(place.logs) == "/s/logs"


def test_without_a_stack_the_demo_says_so(monkeypatch, capsys):
    monkeypatch.setenv("HOIST_ISSUER", "http://127.0.0.1:9/")
    assert demo.main() == 1
    assert "make up" in capsys.readouterr().err
