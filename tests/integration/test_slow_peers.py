"""Peers that dribble a request hold nothing for long; who pauses between two is left alone."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from hoist.gateway.patience import BODY_SECONDS, HEADERS_SECONDS

PATIENCE_SECONDS = 60


def connect(stack):
    parts = urlsplit(stack.url)
    return closing(socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS))


def dribble(peer, piece, deadline_seconds=PATIENCE_SECONDS):
    """Send *piece* again and again until the gateway answers or hangs up; what it said."""
    deadline = time.monotonic() + deadline_seconds
    peer.settimeout(0.5)
    while time.monotonic() < deadline:
        try:
            peer.sendall(piece)
            return peer.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
    pytest.fail(f"still there after {deadline_seconds} s")


def answered(peer):
    said = b""
    while b"\r\n\r\n" not in said:
        said += peer.recv(65536) or pytest.fail(f"only {said!r}")
    return said.split(b" ")[1]


def headers_that_dribble_in_are_given_up(stack):
    # Less than the rest that is allowed between two requests, which is 75 s.
    assert HEADERS_SECONDS < PATIENCE_SECONDS
    with connect(stack) as peer:
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        assert dribble(peer, b"X") == b""


def who_says_nothing_at_all_is_given_up(stack):
    with connect(stack) as peer:
        assert peer.recv(1) == b""


def who_does_not_take_the_answers_is_given_up(stack):
    with connect(stack) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(0.5)
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                peer.sendall(asked * 100)
            except TimeoutError:
                continue
            except ConnectionError:
                return
        pytest.fail("still there")


def a_body_that_dribbles_in_is_refused_in_time(stack):
    assert BODY_SECONDS < PATIENCE_SECONDS
    with connect(stack) as peer:
        token = stack.new_user()
        peer.sendall(
            b"POST /files/upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Upgrade: nothing\r\nContent-Length: 500\r\nAuthorization: Bearer "
            + token.encode()
            + b"\r\n\r\n"
        )
        said = dribble(peer, b" ")
        with suppress(ConnectionError):  # a reset, for what was dribbled after the answer
            while piece := peer.recv(65536):
                said += piece
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert json.loads(body)["code"] == "request_timeout"


def a_connection_may_rest_between_two_requests(stack):
    with connect(stack) as peer:
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answered(peer) == b"200"
        time.sleep(HEADERS_SECONDS + 1)
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answered(peer) == b"200"


def test_who_is_slow_is_given_up_and_who_only_rests_is_not(stack):
    ways = (
        who_says_nothing_at_all_is_given_up,
        who_does_not_take_the_answers_is_given_up,
        headers_that_dribble_in_are_given_up,
        a_body_that_dribbles_in_is_refused_in_time,
        a_connection_may_rest_between_two_requests,
    )
    with ThreadPoolExecutor(len(ways)) as pool:
        for done in [pool.submit(way, stack) for way in ways]:
            done.result()
