"""Garbage gets a clear answer or the close code API Gateway uses; the server goes on."""

import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.raw_client import RawSocket, describe, put

KIB = 1024


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", "malformed"),
        ("", "malformed"),
        ("[" * 20_000, "malformed"),
        ('{"action": "ping", "action": "ping"}', "malformed"),
        ('{"action": NaN}', "malformed"),
        ("[]", "invalid_request"),
        ("7", "invalid_request"),
        ("{}", "unknown_action"),
        ('{"action": "fly"}', "unknown_action"),
        ('{"action": ["upload"]}', "unknown_action"),
        ('{"action": "upload"}', "invalid_request"),
        ('{"action": "upload", "messageId": 7, "file": {}}', "invalid_request"),
        ('{"action": "upload", "messageId": "m", "file": {"name": "a"}}', "invalid_request"),
        (
            '{"action": "upload", "messageId": "m", "file": {"name": "a", "size": "1"}}',
            "invalid_request",
        ),
        (
            '{"action": "upload", "messageId": "m", "file": {"name": "a", "size": 0}}',
            "invalid_request",
        ),
        (
            '{"action": "upload", "messageId": "m", "file": {"name": " ", "size": 1}}',
            "invalid_request",
        ),
        ('{"action": "status", "messageId": "never-sent"}', "not_found"),
    ],
)
def test_a_frame_that_makes_no_sense_is_answered_and_the_socket_goes_on(stack, frame, code):
    with RawSocket(stack.url, stack.token("ada")) as socket:
        socket.say(frame)
        error = socket.hear("error")["error"]
        assert error["code"] == code
        assert error["detail"]
        socket.say({"action": "ping"})
        socket.hear("pong")


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"binary", 1003), ("x" * (40 * KIB), 1009), ("x" * (32 * KIB + 1), 1009)],
    ids=["binary", "40 KiB", "one byte over 32 KiB"],
)
def test_what_api_gateway_closes_for_is_closed_alike(stack, frame, code):
    with RawSocket(stack.url, stack.token("ada")) as socket:
        socket.say(frame)
        with pytest.raises(ConnectionClosed) as caught:
            socket.socket.recv(timeout=30)
    assert caught.value.rcvd.code == code
    with RawSocket(stack.url, stack.token("ada")) as another:
        another.say({"action": "ping"})
        another.hear("pong")


def test_a_frame_of_exactly_32_kib_passes(stack):
    frame = json.dumps({"action": "ping", "messageId": "m"})
    with RawSocket(stack.url, stack.token("ada")) as socket:
        socket.say(frame + " " * (32 * KIB - len(frame)))
        socket.hear("pong")


@pytest.mark.parametrize(("size", "passes"), [(128 * KIB, True), (128 * KIB + 1, False)])
def test_a_message_in_pieces_may_have_128_kib(stack, size, passes):
    frame = json.dumps({"action": "ping", "messageId": "m"})
    text = frame + " " * (size - len(frame))
    pieces = [text[first : first + 16 * KIB] for first in range(0, size, 16 * KIB)]
    with RawSocket(stack.url, stack.token("ada")) as socket:
        if passes:
            socket.socket.send(iter(pieces))
            socket.hear("pong")
            return
        with pytest.raises(ConnectionClosed) as caught:
            socket.socket.send(iter(pieces))
            socket.socket.recv(timeout=30)
    assert caught.value.rcvd.code == 1009


def test_a_socket_ends_when_its_token_does(stack):
    token = stack.mint("ada", "good", lifetime_seconds=4)
    with RawSocket(stack.url, token) as socket:
        assert socket.hear("error")["error"]["code"] == "token_expired"
        with pytest.raises(ConnectionClosed) as caught:
            socket.socket.recv(timeout=30)
    assert caught.value.rcvd.code == 4401


def test_a_second_device_hears_of_the_file_and_a_late_one_catches_up(stack):
    token = stack.new_user()
    body = b"for all my devices"
    with RawSocket(stack.urls[0], token) as first, RawSocket(stack.urls[1], token) as second:
        ready = first.request(describe("a.txt", body))
        assert put(ready["upload"], body).status_code == 200
        heard = [device.hear("upload.stored")["n"] for device in (first, second)]
    assert heard[0] == heard[1]
    with RawSocket(stack.urls[1], token) as late:
        late.say({"action": "resume", "since": 0})
        assert late.hear("resume.done")["n"] == heard[0]
        kept = [event["event"] for event in late.heard]
        assert kept == ["upload.ready", "upload.stored"]
        late.heard.clear()
        late.say({"action": "resume", "since": heard[0]})
        late.hear("resume.done")
        assert late.heard == []
