"""When a socket ends: idle, old, or its gateway is going; on a gateway with short limits."""

import os
import signal
import socket as sockets
import subprocess
import sys
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.raw_client import RawSocket, describe, new_message_id, put

PATIENCE_SECONDS = 60


@pytest.fixture
def gateway(stack, tmp_path):
    """Starts a third gateway beside the two of the stack: ``gateway(HOIST_...="...")``."""
    started = []

    def start(**settings):
        with sockets.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        own = {
            "HOIST_LISTEN": address,
            "HOIST_GATEWAY_ID": "gateway-c",
            "HOIST_GATEWAY_URL": f"http://{address}",
        }
        with (tmp_path / "gateway-c.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hoist.gateway"],
                env=os.environ | stack.settings | own | settings,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://{address}/readyz").status_code == 200:
                    return f"http://{address}", process
            except httpx.TransportError:
                time.sleep(0.05)
        raise TimeoutError((tmp_path / "gateway-c.log").read_text())

    yield start
    for process in started:
        process.kill()
        process.wait()


def ending(socket):
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            socket.socket.recv(timeout=PATIENCE_SECONDS)
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_an_idle_socket_is_closed_and_one_that_pings_is_not(stack, gateway):
    url, _ = gateway(HOIST_SOCKET_IDLE_SECONDS="2")
    token = stack.new_user()
    with RawSocket(url, token) as idle, RawSocket(url, token) as busy:
        began = time.monotonic()
        while time.monotonic() - began < 4:
            busy.say({"action": "ping"})
            busy.hear("pong")
            time.sleep(0.2)
        assert ending(idle) == (1001, "Idle connection")
        busy.say({"action": "ping"})
        busy.hear("pong")


def test_a_socket_of_the_maximum_age_is_closed_however_busy(stack, gateway):
    url, _ = gateway(HOIST_SOCKET_AGE_SECONDS="2")
    with RawSocket(url, stack.new_user()) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                socket.say({"action": "ping"})
                socket.socket.recv(timeout=PATIENCE_SECONDS)
    assert caught.value.rcvd.code == 1001


def test_a_gateway_that_is_asked_to_stop_sends_its_clients_on(stack, gateway):
    url, process = gateway()
    token, message_id, body = stack.new_user(), new_message_id(), b"carried on"
    with RawSocket(url, token) as first:
        ready = first.request(describe("a.txt", body), message_id)
        process.send_signal(signal.SIGTERM)
        assert ending(first)[0] == 1001
    with RawSocket(stack.url, token) as second:
        assert put(ready["upload"], body).status_code == 200
        second.say({"action": "resume", "since": ready["n"]})
        assert second.hear("upload.stored", file_id=ready["fileId"])
    assert process.wait(PATIENCE_SECONDS) == 0
