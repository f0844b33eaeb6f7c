"""One user floods, over sockets and REST; another one works on as if nothing were."""

import itertools
import json
import threading
from contextlib import ExitStack, suppress
from socket import SHUT_RDWR

import httpx
from websockets.exceptions import ConnectionClosed

from tests.e2e.raw_client import RawSocket, describe, new_message_id, put, rest

SOCKETS, REQUESTERS, UPLOADS = 3, 2, 15
BODY = b"quietly"


def flood_frames(socket, until):
    """Pings and requests as fast as they go; it reads nothing in between."""
    frames = itertools.cycle([{"action": "ping"}, {"action": "upload"}])
    with suppress(ConnectionClosed, OSError):
        while not until.is_set():
            message = {"messageId": new_message_id(), "file": describe("f.bin", b"x")}
            socket.send(json.dumps(next(frames) | message))


def flood_requests(url, token, codes, until):
    with httpx.Client(base_url=url, headers=rest(token), timeout=60) as client:
        while not until.is_set():
            body = {"messageId": new_message_id(), "file": describe("f.bin", b"x")}
            answer = client.post("/files/upload", json=body)
            codes.append(answer.json().get("code", "accepted"))


def drain(socket, codes):
    """Reads, so that it is the flood guard that stops the flood, and no slow reader's end."""
    with suppress(ConnectionClosed, OSError):
        for text in socket:
            codes.append(json.loads(text).get("error", {}).get("code"))


def test_a_flood_of_one_user_costs_the_flooder_refusals_and_another_none(stack, tiers):
    tiers(basic={"requestsPerSecond": 20})
    flooder, quiet = stack.new_user(), stack.new_user()
    over, socket_codes, rest_codes = threading.Event(), [], []
    with ExitStack() as opened:
        threads = []
        for _ in range(SOCKETS):
            socket = RawSocket(stack.url, flooder).socket
            # At once: a close frame would have to wait behind the flood.
            opened.callback(socket.socket.shutdown, SHUT_RDWR)
            threads.append(threading.Thread(target=drain, args=(socket, socket_codes)))
            threads.append(threading.Thread(target=flood_frames, args=(socket, over)))
        for _ in range(REQUESTERS):
            arguments = (stack.url, flooder, rest_codes, over)
            threads.append(threading.Thread(target=flood_requests, args=arguments))
        for thread in threads:
            thread.start()
        try:
            work(stack, quiet)
        finally:
            over.set()
            opened.close()
            for thread in threads:
                thread.join()
    assert "slow_down" in socket_codes
    assert "slow_down" in rest_codes


def work(stack, token):
    """Each of these would raise for a refusal, or for silence."""
    with RawSocket(stack.url, token) as socket, httpx.Client(headers=rest(token)) as client:
        for number in range(UPLOADS):
            ready = socket.request(describe(f"{number}.txt", BODY))
            assert put(ready["upload"], BODY).status_code == 200
            socket.hear("upload.stored", file_id=ready["fileId"])
            page = client.get(f"{stack.url}/files", timeout=30)
            assert page.status_code == 200, page.text
        assert len(page.json()["files"]) == UPLOADS
