"""Hostile and slow peers, spoken to over a bare TCP socket, and what they may not break."""

import itertools
import json
import socket
import struct
import threading
import time
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import boto3
import httpx
import psutil
import pytest
import redis
from botocore.config import Config
from botocore.exceptions import ClientError

from hoist.adapters.redis_client import CONNECTIONS_MAX
from tests.e2e.raw_client import PATIENCE_SECONDS, RawSocket, rest
from tests.peers import handshake, held

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
KIB, MIB = 1024, 1024 * 1024
RSS_GROWTH_MAX = 24 * MIB  # while three peers flood at once


class Bare:
    """A peer that reads when told to, with the smallest buffer the kernel allows."""

    def __init__(self, url, token, **headers):
        parts = urlsplit(url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect((parts.hostname, parts.port))
        self.left = b""
        self.socket.sendall(handshake(parts.netloc, token, **headers))
        while b"\r\n\r\n" not in self.left:
            self.left += self.socket.recv(4 * KIB) or pytest.fail(f"only {self.left!r}")
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        self.status, *lines = head.decode("latin-1").split("\r\n")
        self.headers = dict(line.lower().split(": ", 1) for line in lines)

    def close(self):
        self.socket.close()

    def say(self, opcode, payload=b"", **bits):
        self.socket.sendall(frame(opcode, payload, **bits))

    def frames(self):
        """(opcode, payload) of every whole frame until the gateway hangs up.

        Raises ``AssertionError`` for bytes that the gateway cannot have meant.
        """
        while True:
            found = self._frame()
            if found is None:
                with suppress(ConnectionError):
                    if more := self.socket.recv(256 * KIB):
                        self.left += more
                        continue
                return
            yield found

    def _frame(self):
        if len(self.left) < 2:
            return None
        first, second = self.left[:2]
        assert first in (0x80 | TEXT, 0x80 | CLOSE, 0x80 | PING, 0x80 | PONG), self.left[:20]
        assert second < 128, "a server does not mask"
        size, start = second, 2
        if size == 126:
            size, start = int.from_bytes(self.left[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(self.left[2:10], "big"), 10
        if len(self.left) < start + size:
            return None
        payload = self.left[start : start + size]
        self.left = self.left[start + size :]
        return first & 0x0F, payload


def frame(opcode, payload=b"", *, is_last=True, reserved=0):
    """A client's frame; its mask is zero, which changes nothing."""
    size = len(payload)
    first = opcode | (0x80 if is_last else 0) | reserved
    if size < 126:
        return struct.pack("!BB4x", first, 0x80 | size) + payload
    if size < 65536:
        return struct.pack("!BBH4x", first, 0xFE, size) + payload
    return struct.pack("!BBQ4x", first, 0xFF, size) + payload


@pytest.fixture
def bare(stack):
    """Opens bare sockets at gateway-a, each for somebody new unless told for whom."""
    with ExitStack() as opened:

        def connect(token=None, **headers):
            return opened.enter_context(
                closing(Bare(stack.url, token or stack.new_user(), **headers))
            )

        yield connect


@pytest.fixture
def gateway(stack):
    """The process of gateway-a, which must be the same one afterwards."""
    pid = pid_of(stack)
    yield psutil.Process(pid_of_worker(pid))
    assert pid_of(stack) == pid


def pid_of(stack):
    return next(row["pid"] for row in stack.stack.status() if row["name"] == "gateway-a")


def pid_of_worker(pid):
    (worker,) = psutil.Process(pid).children()
    return worker.pid


@pytest.fixture
def log(stack):
    """What gateway-a logs from now on; a traceback in it fails the test."""
    path = stack.stack.directory / "logs" / "gateway-a.log"
    start = path.stat().st_size

    def read():
        with path.open("rb") as file:
            file.seek(start)
            return file.read().decode()

    yield read
    assert "Traceback" not in read()


@pytest.fixture
def push(stack):
    """Pushes text to a connection through the gateway that does not hold it."""
    client = boto3.Session().client(
        "apigatewaymanagementapi",
        endpoint_url=stack.urls[1],
        region_name=stack.settings["AWS_REGION"],
        aws_access_key_id=stack.settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.settings["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield lambda name, text: client.post_to_connection(ConnectionId=name, Data=text.encode())
    client.close()


def connection_id(stack, token):
    """Of the only socket of *token*'s user, as soon as the registry knows it."""
    user = httpx.get(f"{stack.url}/me", headers=rest(token)).json()["userId"]
    with redis.Redis.from_url(stack.settings["HOIST_REDIS_URL"]) as registry:
        names = until(
            lambda: registry.hkeys(f"hoist:{{{user}}}:connections"), "a registered socket"
        )
    return names[0].decode()


def until(fact, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := fact()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} after {PATIENCE_SECONDS} s")
        time.sleep(0.02)  # between looks
    return found


def big(number):
    """A 30 KB message that nothing else looks like."""
    return f"{number}:" + f"{number:08d}" * 3840


def read_to_the_end(peer, pushed):
    """All that was pushed and arrived; it must be a gapless beginning, each message intact."""
    texts = []
    for opcode, payload in peer.frames():
        if opcode == CLOSE:
            assert int.from_bytes(payload[:2], "big") == 1008
            assert peer.left == b"", "bytes after the close"
            break
        if opcode == TEXT:
            texts.append(payload.decode())
    assert texts == [big(number) for number in range(len(texts))]
    assert 0 < len(texts) <= pushed
    return texts


def push_until_refused(push, name):
    for number in range(1000):
        try:
            push(name, big(number))
        except ClientError as error:
            return number, error.response["ResponseMetadata"]["HTTPStatusCode"]
    return pytest.fail("1,000 messages of 30 KB for a peer that reads nothing, and none refused")


def test_a_reader_that_pauses_gets_every_frame_intact(stack, bare, push, log):
    lost = stack.new_user()
    with closing(bare(lost)):
        too_many, _ = push_until_refused(push, connection_id(stack, lost))
    token = stack.new_user()
    peer, name = bare(token), connection_id(stack, token)
    # The buffers on the way are full then, and half the gateway's own queue.
    wanted = [big(number) for number in range(too_many - 17)]
    for text in wanted:
        push(name, text)
    names = [str(number) for number in range(10)]
    for ping in names:
        peer.say(PING, ping.encode())  # its answer may not land inside another frame
    heard = list(itertools.islice(peer.frames(), len(wanted) + len(names)))
    assert [payload.decode() for opcode, payload in heard if opcode == TEXT] == wanted
    assert [payload.decode() for opcode, payload in heard if opcode == PONG] == names


def test_a_reader_too_slow_is_refused_with_429_and_cut_but_never_hears_half_a_frame(
    stack, bare, push, log
):
    token = stack.new_user()
    peer, name = bare(token), connection_id(stack, token)
    pushed, status = push_until_refused(push, name)
    assert status == 429
    read_to_the_end(peer, pushed)


def test_a_reader_that_stopped_for_good_is_given_up_and_what_it_reads_later_is_no_garbage(
    stack, bare, push, log
):
    token = stack.new_user()
    peer, name = bare(token), connection_id(stack, token)
    pushed, _ = push_until_refused(push, name)
    for number in range(20):  # what comes for a socket that is being closed is nobody's
        with pytest.raises(ClientError):
            push(name, big(pushed + number))
    until(lambda: any(name in row for row in log().splitlines() if "socket closed" in row), "end")
    read_to_the_end(peer, pushed)
    cuts = [row for row in log().splitlines() if "slow reader cut" in row and name in row]
    assert len(cuts) == 1


STATUS = json.dumps({"action": "status", "messageId": "never-sent"}).encode()
FLOODS = {  # what comes again and again, and how many MiB at most
    "pings": (frame(TEXT, b'{"action":"ping"}') * 1000, 24),
    "garbage": (frame(TEXT, b"[" * 1000) * 100, 8),
    "work of 32 KiB": (frame(TEXT, STATUS.ljust(32 * KIB)) * 8, 16),
    "protocol pings": (frame(PING, b"x" * 125) * 1000, 24),
    "empty pieces": (frame(TEXT, is_last=False) + frame(0, is_last=False) * 1000, 1),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_peers_that_never_read_costs_little_memory_and_others_their_turn_never(
    stack, bare, gateway, log, tiers, kind
):
    # The quiet one asks again as soon as it has its answer, which may be thousands a second.
    tiers(premium={"requestsPerSecond": 100_000})
    with RawSocket(stack.url, stack.token("grace")) as quiet:
        quiet.say({"action": "ping"})
        quiet.hear("pong")
        before = most = gateway.memory_info().rss
        floods = [threading.Thread(target=flood, args=(bare(), *FLOODS[kind])) for _ in range(3)]
        for thread in floods:
            thread.start()
        while any(thread.is_alive() for thread in floods):
            quiet.say({"action": "ping"})
            quiet.hear("pong")
            most = max(most, gateway.memory_info().rss)
    assert most - before < RSS_GROWTH_MAX


def flood(peer, burst, mib_max):
    """Until the gateway hangs up, has taken it all, or has let it wait for some seconds."""
    ends_at = time.monotonic() + 5
    peer.socket.settimeout(5)
    with suppress(OSError):
        for _ in range(mib_max * MIB // len(burst)):
            peer.socket.sendall(burst)
            if time.monotonic() > ends_at:
                return


@pytest.mark.parametrize("offer", ["permessage-deflate; client_max_window_bits", "\xe9"], ids=repr)
def test_no_extension_is_agreed_on_whatever_is_offered(bare, offer):
    peer = bare(Sec_WebSocket_Extensions=offer)
    assert peer.status.startswith("HTTP/1.1 101")
    assert "sec-websocket-extensions" not in peer.headers
    peer.say(TEXT, b"\xaaV*\xc9,\xc8W\xb2R*\xc8\xccK\x07\x00", reserved=0x40)
    ((opcode, payload),) = peer.frames()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, 1002)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": "!" * 24},
        {"Sec_WebSocket_Version": "8"},
        {"Sec_WebSocket_Version": None},
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Upgrade": None, "Connection": None, "Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Protocol": "\xe9"},
    ],
    ids=str,
)
def test_what_is_no_handshake_is_a_bad_request_and_no_traceback(bare, log, headers):
    peer = bare(**headers)
    assert peer.status.startswith("HTTP/1.1 400"), peer.status
    assert peer.headers["content-type"] == "application/problem+json"


def test_a_page_request_for_the_socket_is_a_bad_request(stack, log):
    answer = httpx.get(f"{stack.url}/ws", headers=rest(stack.token("ada")))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "WebSocket client" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(3, b"?"), 1002),
        (frame(TEXT, b"{}", reserved=0x20), 1002),
        (frame(0, b"?"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"x", is_last=False), 1002),
        (struct.pack("!BB", 0x81, 2) + b"{}", 1002),
        (struct.pack("!BBQ4x", 0x81, 0xFF, 2**62) + b"x" * (33 * KIB), 1009),
        (frame(TEXT, b"{", is_last=False) + frame(TEXT, b"}"), 1002),
    ],
    ids=[
        "no UTF-8",
        "unknown opcode",
        "reserved bit",
        "a piece of nothing",
        "long ping",
        "ping in pieces",
        "no mask",
        "2^62 bytes announced",
        "a message in a message",
    ],
)
def test_a_frame_against_the_protocol_ends_the_socket_with_its_code(bare, log, bad, code):
    peer = bare()
    peer.socket.sendall(bad)
    ((opcode, payload),) = peer.frames()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)


def test_a_thousand_pings_in_one_burst_are_all_answered_in_order(bare, tiers):
    tiers(basic={"requestsPerSecond": 1000})
    peer = bare()
    names = [f"p-{number}" for number in range(1000)]
    peer.socket.sendall(
        b"".join(
            frame(TEXT, json.dumps({"action": "ping", "messageId": name}).encode())
            for name in names
        )
    )
    heard = [json.loads(payload) for _, payload in itertools.islice(peer.frames(), 1000)]
    assert {event["event"] for event in heard} == {"pong"}
    assert [event["messageId"] for event in heard] == names


def test_two_hundred_closed_sockets_leave_no_descriptor_behind(stack, gateway, bare):
    token, port = stack.new_user(), urlsplit(stack.url).port
    before, files = held(gateway, port), gateway.num_fds()
    peers = [bare(token) for _ in range(200)]
    for number, peer in enumerate(peers):
        if number % 2:  # every other one says goodbye
            peer.say(CLOSE, struct.pack("!H", 1000))
            assert [opcode for opcode, _ in peer.frames()] == [CLOSE]
        peer.close()
    until(lambda: held(gateway, port) <= before, "end of 200 sockets")
    assert gateway.num_fds() <= files + CONNECTIONS_MAX
