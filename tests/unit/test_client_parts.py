"""Large files against a real little gateway: parts, what is sent again and what never is."""

import base64
import hashlib
import io
import os
import random
import threading

import pytest

from hoist.client import Client, HoistProblem, Retry, StaticToken, Stopped
from tests.unit.fake_service import TOKEN, running_service

MIB = 1024**2
SIZE, COUNT = 9 * MIB + 5, 10
BODY = random.Random(7).randbytes(SIZE)
AT_ONCE = Retry((0.0, 0.0, 0.0), sleep=lambda seconds: None)


@pytest.fixture
def service():
    with running_service() as service:
        service.part_size = MIB
        yield service


@pytest.fixture
def client(service):
    with new_client(service) as client:
        yield client


def new_client(service, **more):
    return Client([service.url], StaticToken(TOKEN), retry=AT_ONCE, stored_seconds=10, **more)


def sent_parts(service):
    """The numbers of the parts that were PUT, in order of arrival."""
    paths = [line.split()[1] for line in service.heard if line.startswith("PUT")]
    return [int(path.split("/")[3]) for path in paths]


def have(service, numbers, message_id="m-1"):
    """Storage has these parts from before."""
    service.parts[f"id-{message_id}"] = {n: BODY[(n - 1) * MIB : n * MIB] for n in numbers}


def send(client, **more):
    return client.upload(io.BytesIO(BODY), name="big.bin", message_id="m-1", **more)


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_a_large_file_arrives_identical_in_parts_signed_in_batches(client, service, tmp_path, over):
    path = tmp_path / "big.bin"
    path.write_bytes(BODY)
    told = []
    done = client.upload(path, message_id="m-1", on_progress=told.append, over=over)
    assert service.bodies["id-m-1"] == BODY
    assert (done.sent, done.file["status"]) == (True, "stored")
    assert service.files["id-m-1"]["partChecksums"] is True
    assert sorted(sent_parts(service)) == list(range(1, COUNT + 1))
    asked = "frame sign" if over == "socket" else "POST /uploads/id-m-1/parts"
    assert 1 <= service.heard.count(asked) <= 3
    assert (max(told), told[-1]) == (SIZE, SIZE)


def test_parts_are_on_their_way_at_once_but_no_more_than_allowed(service):
    meeting, busy, most = threading.Barrier(3), [], []

    def before(number):
        busy.append(number)
        most.append(len(busy))
        if number <= 3:
            meeting.wait(10)  # breaks unless three come together
        busy.remove(number)

    service.before_part = before
    with new_client(service, parallel=3) as client:
        send(client)
    assert max(most) == 3


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_only_missing_parts_are_sent_and_progress_counts_the_others(client, service, over):
    have(service, [1, 2, 3, 5, 8, 10])
    told, found = [], []
    with new_client(service, on_event=lambda name, payload, at: found.append((name, payload))) as c:
        send(c, on_progress=told.append, over=over)
    assert sorted(sent_parts(service)) == [4, 6, 7, 9]
    assert service.bodies["id-m-1"] == BODY
    assert max(told[:6]) == 5 * MIB + 5
    assert (max(told), told[-1]) == (SIZE, SIZE)
    assert {"messageId": "m-1", "stored": 6, "count": COUNT} in [
        payload for name, payload in found if name == "parts.found"
    ]


def test_a_stored_part_with_other_bytes_is_sent_again(client, service):
    have(service, range(1, COUNT + 1))
    service.parts["id-m-1"][3] = b"x" * MIB
    service.parts["id-m-1"][7] = b"short"
    send(client)
    assert sorted(sent_parts(service)) == [3, 7]
    assert service.bodies["id-m-1"] == BODY


def test_a_part_that_fails_is_sent_again_alone_under_a_fresh_signature(client, service):
    have(service, [n for n in range(1, COUNT + 1) if n != 4])
    service.put_statuses = [503, 403]
    send(client)
    assert sent_parts(service) == [4, 4, 4]
    assert [number for _, number, _ in service.signatures] == [4, 4, 4]


def test_what_storage_refuses_for_good_ends_the_upload(client, service):
    service.put_statuses = [400]
    with pytest.raises(HoistProblem, match="refused with 400"):
        send(client)
    assert service.bodies == {}


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_parts_that_are_missing_at_the_end_are_sent_then(client, service, over):
    service.lost_parts = [2, 9]
    send(client, over=over)
    assert sorted(sent_parts(service)) == sorted([*range(1, COUNT + 1), 2, 9])
    assert service.bodies["id-m-1"] == BODY


@pytest.mark.parametrize("over", ["socket", "rest"])
def test_an_upload_that_expired_meanwhile_begins_again(client, service, over):
    service.expires = 2
    assert send(client, over=over).file["status"] == "stored"
    assert service.bodies["id-m-1"] == BODY


def test_a_socket_lost_midway_is_replaced_and_nothing_sent_twice(client, service):
    service.breaks_after_parts = 2
    send(client)
    assert service.heard.count("WS") == 2
    assert service.heard.count("frame upload") == 2  # the request again, under its messageId
    assert sorted(sent_parts(service)) == list(range(1, COUNT + 1))
    assert service.bodies["id-m-1"] == BODY


def test_the_other_gateway_takes_over_from_a_lost_socket():
    with running_service() as first, running_service() as second:
        first.part_size = second.part_size = MIB
        first.before_part = lambda number: number == 3 and first.close_sockets()
        with Client([first.url, second.url], StaticToken(TOKEN), retry=AT_ONCE) as client:
            send(client)
        assert "WS" in second.heard


def test_cancelling_ends_it_for_good(client, service):
    service.before_part = lambda number: number == 3 and client.cancel("id-m-1")
    with pytest.raises(HoistProblem, match="cancelled") as caught:
        send(client)
    assert caught.value.code == "upload_cancelled"
    with pytest.raises(HoistProblem, match="cancelled"):
        send(client)


def test_a_stopped_upload_goes_on_in_another_client(service):
    with new_client(service) as stopped:
        service.before_part = lambda number: number == 6 and stopped.stop()
        with pytest.raises(Stopped):
            send(stopped)
    before = set(service.parts["id-m-1"])
    service.heard.clear()
    with new_client(service) as client:
        send(client)
    # What was on its way when it stopped may have arrived a moment later.
    assert set(sent_parts(service)) <= set(range(1, COUNT + 1)) - before
    assert service.bodies["id-m-1"] == BODY


def test_a_file_that_changes_meanwhile_is_not_joined(service, tmp_path):
    path, done = tmp_path / "big.bin", []
    path.write_bytes(BODY)

    def heard(name, payload, at):
        if name == "part.done":
            done.append(payload["number"])
            if len(done) == COUNT:  # all are right, and together they are no file there ever was
                path.write_bytes(b"y" + BODY[1:])

    with new_client(service, on_event=heard) as client:
        with pytest.raises(HoistProblem, match="changed while it was uploaded"):
            client.upload(path, message_id="m-1")
    assert service.bodies == {}


def test_bytes_that_change_under_way_are_told_as_that(client, service, tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(BODY)
    service.put_statuses = [400]  # the part's checksum was taken before the change
    service.before_part = lambda number: os.utime(path, (1, 1))
    with pytest.raises(HoistProblem, match="changed while it was uploaded"):
        client.upload(path, message_id="m-1")


def test_a_file_announced_without_part_checksums_gets_none(client, service):
    body = BODY[: 3 * MIB]
    client.upload(io.BytesIO(body), name="a.bin", message_id="m-1")
    assert service.bodies["id-m-1"] == body
    assert {announced for _, _, announced in service.signatures} == {None}


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_an_upload_given_up_while_its_parts_are_sent(client, service, state):
    def give_up(number):
        if number == 3:
            service.before_part = lambda number: None
            service.files["id-m-1"]["status"] = state
            service.parts["id-m-1"] = {}

    service.before_part = give_up
    if state == "cancelled":
        with pytest.raises(HoistProblem, match="cancelled"):
            send(client, over="rest")
    else:
        assert send(client, over="rest").file["status"] == "stored"
        assert service.bodies["id-m-1"] == BODY


def test_each_part_is_announced_with_its_checksum(client, service):
    send(client)
    announced = {number: checksum for _, number, checksum in service.signatures}
    last = hashlib.sha256(BODY[9 * MIB :]).digest()
    assert announced[COUNT] == base64.b64encode(last).decode()
