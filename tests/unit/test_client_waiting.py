"""Waiting and telling: what is asked again after a while, how progress is reported, renewals."""

import io
import threading

import pytest

from hoist.cli.problems import TellWait
from hoist.client import Client, HoistProblem, Retry, StaticToken, lines
from hoist.client.crew import in_parallel
from hoist.client.progress import Reporter
from hoist.client.rest import Gateways
from hoist.client.socket import Socket
from tests.unit.fake_service import TOKEN, running_service

BUSY = {"code": "busy", "status": 503, "retriable": True, "retryAfterSeconds": 2}
LATER = {"code": "rate_limited", "status": 429, "retriable": True, "retryAfterSeconds": 21}


@pytest.fixture
def service():
    with running_service() as service:
        yield service


def client_of(service, waited, patience_seconds):
    retry = Retry((), sleep=waited.append)
    return Client([service.url], StaticToken(TOKEN), retry=retry, patience_seconds=patience_seconds)


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_later_means_later_as_long_as_patience_lasts(service, over):
    service.refusals = [LATER, LATER | {"code": "too_many_uploads", "retryAfterSeconds": 4}]
    waited = []
    with client_of(service, waited, 25) as client:
        assert client.upload(io.BytesIO(b"data"), name="a", over=over).sent
    assert waited[:2] == [21.0, 4.0]


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_no_patience_left_raises_what_the_server_said_last(service, over):
    service.refusals = [LATER] * 3
    waited = []
    with client_of(service, waited, 62) as client, pytest.raises(HoistProblem) as caught:
        client.upload(io.BytesIO(b"data"), name="a", over=over)
    assert (caught.value.code, waited) == ("rate_limited", [21.0, 21.0])


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_when_no_event_comes_the_client_looks_for_itself(service, over, monkeypatch):
    monkeypatch.setattr(lines, "LOOK_SECONDS", 0.01)
    service.is_silent_about_ready = True
    with client_of(service, [], 0) as client:
        assert client.upload(io.BytesIO(b"data"), name="a", message_id="m-1", over=over).sent
    assert service.bodies["id-m-1"] == b"data"


def test_who_waits_for_long_is_told_why_and_what_comes_next(service):
    service.refusals = [BUSY, LATER | {"retryAfterSeconds": 0}]
    told = []
    retry = Retry((), sleep=lambda seconds: None, told=lambda *what: told.append(what))
    with Client([service.url], StaticToken(TOKEN), retry=retry) as client:
        client.upload(io.BytesIO(b"data"), name="a")
    ((problem, pause),) = told
    assert (problem.code, pause) == ("busy", 2.0)


def test_the_same_reason_is_said_once_in_a_while(capsys):
    times = iter([0.0, 5.0, 10.0, 11.0])
    tell = TellWait(lambda: next(times))
    for detail in ("away; try again", "away; try again", "away", "other"):
        tell(HoistProblem("busy", 503, detail), 2.0 if detail != "other" else 0.2)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "away: trying again in 2 s",
        "away: trying again in 2 s",
        "other: trying again now",
    ]


def test_reports_are_few_and_the_last_is_all():
    times, reports = iter([0.0, 0.1, 0.25, 0.3, 0.4, 0.6, 0.61]), []
    report = Reporter(reports.append, 6, clock=lambda: next(times))
    for sent in range(1, 7):
        report(sent)
    assert reports == [2, 5, 6]


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_the_service_hears_how_far_a_single_put_is(service, over):
    told = []
    with Client([service.url], StaticToken(TOKEN), report_seconds=0) as client:
        content = io.BytesIO(b"x" * 1_000_000)
        client.upload(content, name="a", over=over, on_progress=told.append)
    assert service.reports[-1] == 1_000_000
    assert told == sorted(told)
    assert told[-1] == 1_000_000


def test_what_was_there_already_is_complete_at_once(service):
    told = []
    with Client([service.url], StaticToken(TOKEN)) as client:
        client.upload(io.BytesIO(b"once"), name="a", message_id="m-1")
        client.upload(io.BytesIO(b"once"), name="a", message_id="m-1", on_progress=told.append)
    assert told[-1] == 4


def test_the_folder_is_announced(service):
    with Client([service.url], StaticToken(TOKEN)) as client:
        client.upload(io.BytesIO(b"x"), name="a", folder="photos/2026", message_id="m-1")
    assert service.files["id-m-1"]["folder"] == "photos/2026"


def test_a_cancelled_single_put_ends_while_its_bytes_are_sent(service):
    with Client([service.url], StaticToken(TOKEN)) as client:

        def cancel(bytes_done):
            if service.files["id-m-1"]["status"] != "cancelled":
                client.cancel("id-m-1")

        with pytest.raises(HoistProblem, match="cancelled"):
            client.upload(io.BytesIO(b"x" * 10**6), name="a", message_id="m-1", on_progress=cancel)


class Renewing:
    """Tokens that are replaced before they end."""

    def __init__(self):
        self.token = TOKEN

    def access_token(self, refused=None):
        return self.token


def test_a_socket_is_renewed_in_place_when_there_is_a_fresher_token(service):
    tokens, renewed = Renewing(), threading.Event()

    def heard(name, payload, at):
        if name == "token.renewed":
            renewed.set()

    socket = Socket(Gateways([service.url]), tokens, heard, look_seconds=0.01)
    socket.send({"action": "ping"})
    tokens.token = "fresh"
    assert renewed.wait(10)
    socket.close()
    assert service.renewals == ["fresh"]
    assert service.heard.count("WS") == 1


def test_a_failure_keeps_further_items_from_starting():
    begun = []

    def work(item):
        begun.append(item)
        if item == 2:
            raise HoistProblem("no", 400, "no")
        return item

    with pytest.raises(HoistProblem):
        in_parallel(work, [1, 2, 3, 4], 1)
    assert begun == [1, 2]
    assert in_parallel(lambda item: -item, [3, 1, 2], 8) == [-3, -1, -2]
