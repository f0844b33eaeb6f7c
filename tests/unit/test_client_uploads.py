"""The client against a real little gateway: one upload, its repeats and its refusals."""

import base64
import hashlib
import io
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from hoist.client import Client, HoistProblem, NotLoggedIn, StaticToken, Unreachable
from hoist.client.problems import Retry
from tests.unit.fake_service import TOKEN, TRACE, running_service

AT_ONCE = Retry((0.0, 0.0, 0.0), sleep=lambda seconds: None)


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def client(service):
    with Client([service.url], StaticToken(TOKEN), retry=AT_ONCE, stored_seconds=10) as client:
        yield client


def closed_url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_a_file_arrives_with_its_checksum_and_type(client, service, tmp_path, over):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"hello, world")
    sent = []
    done = client.upload(path, message_id="m-1", on_progress=sent.append, over=over)
    assert service.bodies["id-m-1"] == b"hello, world"
    assert done.file["status"] == "stored"
    assert (done.sent, done.trace_id, sent[-1]) == (True, TRACE, 12)
    digest = hashlib.sha256(b"hello, world").digest()
    assert done.file["checksumSha256"] == base64.b64encode(digest).decode()
    assert done.file["contentType"] == "text/plain"
    assert "PUT /storage/id-m-1 *" in service.heard


def test_many_uploads_share_one_socket(client, service):
    def one(number):
        content = io.BytesIO(b"x" * number)
        return client.upload(content, name=f"{number}.bin", message_id=f"m-{number}")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(1, 21)))
    assert {upload.file["size"] for upload in done} == set(range(1, 21))
    assert service.heard.count("WS") == 1


def test_a_repeated_message_id_finds_the_file_there_and_sends_nothing_twice(client, service):
    first = client.upload(io.BytesIO(b"once"), name="a", message_id="m-1")
    again = client.upload(io.BytesIO(b"once"), name="a", message_id="m-1")
    assert (first.sent, again.sent) == (True, False)
    assert again.file_id == first.file_id


def test_a_storage_that_fails_for_a_moment_is_asked_again_with_a_fresh_signature(client, service):
    service.put_statuses = [503, 403, 503]
    done = client.upload(io.BytesIO(b"data"), name="a", message_id="m-1")
    assert done.sent
    assert service.heard.count("GET /uploads/id-m-1") >= 1
    assert service.heard.count("frame upload") == 3  # an ended signature: asked for again


def test_storages_refusal_is_final_and_says_what_storage_said(client, service):
    service.put_statuses = [400]
    with pytest.raises(HoistProblem, match=r"refused with 400 \(Said\)") as caught:
        client.upload(io.BytesIO(b"data"), name="a")
    assert caught.value.code == "storage_refused"


def test_a_socket_that_breaks_is_opened_again_and_the_frame_repeated(client, service):
    service.break_sockets = 2
    assert client.upload(io.BytesIO(b"data"), name="a").sent
    assert service.heard.count("WS") == 3


def test_a_lost_stored_event_is_found_by_asking(client, service):
    service.is_silent_about_stored = True
    assert client.upload(io.BytesIO(b"data"), name="a").file["status"] == "stored"


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_a_refusal_is_a_problem_with_its_members(client, service, over):
    detail = "12 bytes is over the 10 bytes a basic upload may have"
    service.refusal = {"code": "file_too_large", "status": 413, "detail": detail, "limit": 10}
    with pytest.raises(HoistProblem, match="over the 10 bytes") as caught:
        client.upload(io.BytesIO(b"hello, world"), name="a", over=over)
    problem = caught.value
    assert (problem.code, problem.status, problem.members["limit"]) == ("file_too_large", 413, 10)
    assert service.bodies == {}


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_the_next_gateway_is_used_when_one_is_down(service, over):
    urls = [closed_url(), service.url]
    with Client(urls, StaticToken(TOKEN), retry=AT_ONCE) as client:
        assert client.upload(io.BytesIO(b"data"), name="a", over=over).sent
        assert client.me()["userId"] == "auth0|ada"


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_no_gateway_at_all_is_unreachable(over):
    with (
        Client([closed_url()], StaticToken(TOKEN), retry=AT_ONCE) as client,
        pytest.raises(Unreachable, match="no gateway answers"),
    ):
        client.upload(io.BytesIO(b"data"), name="a", over=over)


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_a_refused_token_is_not_sent_for_ever(service, over):
    with (
        Client([service.url], StaticToken("bad"), retry=AT_ONCE) as client,
        pytest.raises(NotLoggedIn),
    ):
        client.upload(io.BytesIO(b"data"), name="a", over=over)
    assert service.files == {}


def test_a_refused_token_is_replaced_by_a_fresh_one(service):
    class Turning:
        def access_token(self, refused=None):
            return TOKEN if refused == "old" else "old"

    with Client([service.url], Turning(), retry=AT_ONCE) as client:
        assert client.upload(io.BytesIO(b"data"), name="a").sent
        assert client.me()["tier"] == "basic"


def test_a_file_that_shrinks_meanwhile_is_told(service, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"long content")

    with (
        Client(
            [service.url],
            StaticToken(TOKEN),
            on_event=lambda name, payload, at: name == "put.started" and path.write_bytes(b"short"),
        ) as other,
        pytest.raises(HoistProblem, match="became shorter"),
    ):
        other.upload(path)


def test_events_tell_every_step_in_order(service):
    seen = []
    with Client(
        [service.url],
        StaticToken(TOKEN),
        on_event=lambda name, payload, at: seen.append(name),
        report_seconds=0,
    ) as client:
        client.upload(io.BytesIO(b"data"), name="a")
    steps = ["frame.sent", "upload.accepted", "upload.ready", "put.started"]
    assert seen[:4] == steps
    # What is told of the progress may come too late: after the end.
    told = [name for name in seen[4:] if name != "upload.progress"]
    assert sorted(told) == ["put.done", "upload.stored"]
