"""Each toxic, as a client and its server see it: on bare sockets, then on real engines."""

from __future__ import annotations

import contextlib
import secrets
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
import redis
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from emulation.faults.client import Faults
from tests.conftest import TEST_PORT_BASE

ROOT = Path(__file__).parents[2]
CONTROL, ECHO, REDIS, S3, STORE = range(TEST_PORT_BASE + 20, TEST_PORT_BASE + 25)
PATIENCE_SECONDS = 30
MOMENT_SECONDS = 0.3
CUT = (ConnectionResetError, BrokenPipeError)


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what it gets, and remembers it, each connection's from its first byte on."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[bytearray] = []
        super().__init__(("127.0.0.1", 0), EchoHandler)


class EchoHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        heard = bytearray()
        self.server.received.append(heard)
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                heard += data
                self.request.sendall(data)


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    server = Echo()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def proxy(echo, tmp_path_factory) -> Iterator[Faults]:
    """In front of the echo, and of the engines of the running stack, if it runs."""
    at = TEST_PORT_BASE
    routes = [f"echo:tcp:{ECHO}:{echo.server_address[1]}", f"redis:tcp:{REDIS}:{at + 79}"]
    routes += [f"s3:s3:{S3}:{at + 66}", f"store:dynamodb:{STORE}:{at + 80}"]
    command = [sys.executable, "-m", "emulation.faults", "--control", str(CONTROL), *routes]
    process = subprocess.Popen(command, cwd=ROOT)
    faults = Faults(f"http://127.0.0.1:{CONTROL}", tmp_path_factory.mktemp("faults"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(httpx.ConnectError):
            faults.state()
            break
        assert process.poll() is None
        assert time.monotonic() < deadline
    yield faults
    faults.close()
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0


@pytest.fixture
def faults(proxy) -> Iterator[Faults]:
    yield proxy
    proxy.clear()


@contextlib.contextmanager
def connected() -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", ECHO), PATIENCE_SECONDS) as sock:
        yield sock


def ask(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return receive(sock, len(data))


def receive(sock: socket.socket, count: int) -> bytes:
    """*count* bytes, or fewer when it ends before."""
    got = b""
    while len(got) < count and (data := sock.recv(count - len(got))):
        got += data
    return got


def is_silent(sock: socket.socket) -> bool:
    """Whether nothing comes for a moment."""
    sock.settimeout(MOMENT_SECONDS)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(PATIENCE_SECONDS)
    return False


def bites(faults: Faults, target: str = "echo") -> dict[str, int]:
    return dict(faults.counts()[target]["faults"])


def test_without_toxics_every_byte_passes_and_so_does_an_end(faults, echo):
    data = secrets.token_bytes(1_000_000)
    with connected() as sock:
        threading.Thread(target=sock.sendall, args=(data,)).start()
        assert receive(sock, len(data)) == data
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert echo.received[-1] == data


def test_latency_is_added_to_open_connections_until_it_is_removed(faults):
    with connected() as sock:
        assert ask(sock, b"a") == b"a"
        with faults.on("echo", latency_ms=1000, jitter_ms=100):
            began = time.monotonic()
            assert ask(sock, b"b") == b"b"
            assert time.monotonic() - began >= 0.85
        before = bites(faults)["latency"]
        assert ask(sock, b"c") == b"c"
        assert bites(faults)["latency"] == before


def test_latency_is_no_bandwidth(faults):
    """Ten pieces on their way at once are late once, not ten times."""
    data = secrets.token_bytes(640_000)
    with connected() as sock, faults.on("echo", latency_ms=3000):
        began = time.monotonic()
        threading.Thread(target=sock.sendall, args=(data,)).start()
        assert receive(sock, len(data)) == data
        assert 3 <= time.monotonic() - began < 20


def test_a_removed_latency_lets_go_what_still_waits(faults):
    with connected() as sock:
        with faults.on("echo", latency_ms=3_600_000):
            sock.sendall(b"late")
            assert is_silent(sock)
        assert receive(sock, 4) == b"late"


def test_bandwidth_is_kept(faults):
    with connected() as sock, faults.on("echo", bandwidth_kbps=100, stream="upstream"):
        began = time.monotonic()
        assert ask(sock, b"x" * 100_000) == b"x" * 100_000
        assert time.monotonic() - began >= 0.85


def test_a_timeout_swallows_and_what_has_a_hole_ends_with_it(faults, echo):
    with connected() as holed, contextlib.ExitStack() as more:
        assert ask(holed, b"before") == b"before"
        heard, whole = echo.received[-1], more.enter_context(connected())
        assert ask(whole, b"too") == b"too"
        with faults.on("echo", timeout_ms=0):
            holed.sendall(b"lost")
            assert is_silent(holed)
            assert is_silent(whole)
        with pytest.raises(ConnectionResetError):
            holed.recv(1)
        assert heard == b"before"
        assert ask(whole, b"after") == b"after"


def test_a_timeout_with_an_end_closes_then(faults):
    with connected() as sock, faults.on("echo", timeout_ms=200):
        sock.sendall(b"lost")
        assert sock.recv(1) == b""


def test_a_partition_loses_nothing_and_heals(faults, echo):
    with connected() as sock:
        assert ask(sock, b"1") == b"1"
        with faults.on("echo", partition=True):
            sock.sendall(b"2")
            assert is_silent(sock)
            with connected() as late:
                late.sendall(b"said before it went")
            sock.sendall(b"3")
        assert receive(sock, 2) == b"23"
        assert ask(sock, b"4") == b"4"
    # Who gave up meanwhile may still be heard: that is how late writes come about.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while b"said before it went" not in map(bytes, echo.received):
        assert time.monotonic() < deadline


def test_a_reset_at_once_hits_open_and_new_connections(faults):
    with connected() as sock:
        assert ask(sock, b"1") == b"1"
        with faults.on("echo", reset_after_bytes=0):
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
            with pytest.raises(CUT), connected() as new:
                ask(new, b"2")
    with connected() as sock:
        assert ask(sock, b"3") == b"3"


def test_a_reset_in_the_middle_passes_nothing_that_comes_after(faults, echo):
    with connected() as sock, faults.on("echo", reset_after_bytes=100_000):
        assert ask(sock, b"x" * 60_000) == b"x" * 60_000
        with pytest.raises(CUT):
            sock.sendall(b"x" * 8_000_000)
            receive(sock, 8_000_000)
    assert 60_000 <= len(echo.received[-1]) <= 100_000


def test_limited_data_ends_where_it_should(faults):
    with connected() as sock, faults.on("echo", limit_bytes=5):
        sock.sendall(b"hello world")
        assert receive(sock, 100) == b"hello"


def test_a_slow_close_is_late(faults):
    with connected() as sock, faults.on("echo", slow_close_ms=1000):
        sock.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        assert sock.recv(1) == b""
        assert time.monotonic() - began >= 0.85


def test_down_refuses_and_cuts_until_it_is_up(faults):
    with connected() as sock:
        assert ask(sock, b"1") == b"1"
        with faults.on("echo", down=True):
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
            with pytest.raises(ConnectionRefusedError), connected():
                pass
    with connected() as sock:
        assert ask(sock, b"2") == b"2"


def is_cut(sock: socket.socket) -> bool:
    try:
        return ask(sock, b"?") != b"?"
    except CUT:
        return True


def test_toxicity_is_a_share_and_its_seed_says_which(faults):
    shares = []
    for seed in (1, 1, 2):
        with faults.on("echo", reset_after_bytes=1, toxicity=0.5, seed=seed):
            share = []
            for _ in range(40):
                with connected() as sock:
                    share.append(is_cut(sock))
            shares.append(share)
    assert shares[0] == shares[1] != shares[2]
    assert all(8 <= sum(share) <= 32 for share in shares)


@pytest.mark.parametrize(
    ("target", "wrong", "said"),
    [
        ("echo", {"errors": 0.5}, "not HTTP"),
        ("nope", {"down": True}, "there is no 'nope'"),
        ("echo", {"down": True, "stream": "sideways"}, "upstream, downstream or both"),
        ("echo", {"latency_ms": -1}, "below 0"),
        ("s3", {"errors": 1.5}, "0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(faults, target, wrong, said):
    with pytest.raises(ValueError, match=said), faults.on(target, **wrong):
        pass
    assert all(not one["toxics"] for one in faults.state().values())


def aws(service: str, port: int):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            s3={"addressing_style": "path"}, read_timeout=20, retries={"total_max_attempts": 1}
        ),
    )


@pytest.fixture
def s3(engines, faults):
    """Through the proxy."""
    return aws("s3", S3)


@pytest.fixture
def bucket(engines) -> str:
    return engines.settings["HOIST_BUCKET"]


def code_of(call, **arguments) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def test_a_share_of_requests_is_answered_slow_down_on_connections_that_live_on(faults, s3, bucket):
    with faults.on("s3", errors=0.2, seed=7):
        before = faults.counts()["s3"]
        codes = [code_of(s3.list_objects_v2, Bucket=bucket, MaxKeys=1) for _ in range(100)]
        after = faults.counts()["s3"]
    assert set(codes) == {"ok", "SlowDown"}
    assert 8 <= codes.count("SlowDown") <= 35
    assert after["faults"]["errors"] == codes.count("SlowDown")
    assert after["requests"] - before["requests"] == 100
    assert after["connections"] - before["connections"] <= 2
    with faults.on("s3", errors=0.2, seed=7):
        again = [code_of(s3.list_objects_v2, Bucket=bucket, MaxKeys=1) for _ in range(100)]
    assert again == codes


@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_put_that_is_refused_sees_the_answer_and_not_a_reset(faults, s3, bucket, size):
    key, body = f"faults/{secrets.token_hex(4)}", b"x" * size
    with faults.on("s3", errors=1):
        assert code_of(s3.put_object, Bucket=bucket, Key=key, Body=body) == "SlowDown"
        with httpx.Client(base_url=f"http://127.0.0.1:{S3}") as plain:
            for _ in range(2):  # no 100-continue here, and chunks, on one connection
                chunks = (body[start : start + 100_000] for start in range(0, size, 100_000))
                refused = plain.put(f"/{bucket}/{key}", content=chunks)
                assert refused.status_code == 503
                assert b"<Code>SlowDown</Code>" in refused.content
        assert code_of(s3.head_object, Bucket=bucket, Key=key) == "503"
    assert code_of(s3.head_object, Bucket=bucket, Key=key) == "404"
    assert code_of(s3.put_object, Bucket=bucket, Key=key, Body=body) == "ok"


def test_a_put_that_is_reset_midway_leaves_no_object(faults, s3, bucket):
    key = f"faults/{secrets.token_hex(4)}"
    with faults.on("s3", reset_after_bytes=1_000_000):
        with pytest.raises((ConnectionError, HTTPClientError)):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 10_000_000)
    assert code_of(s3.head_object, Bucket=bucket, Key=key) == "404"
    assert bites(faults, "s3")["reset_peer"] == 1


def test_dynamodb_is_refused_in_its_own_words(engines, faults):
    store = aws("dynamodb", STORE)
    with faults.on("store", errors=1):
        assert code_of(store.list_tables) == "InternalServerError"
    assert code_of(store.list_tables) == "ok"


def test_a_client_of_redis_gives_up_on_a_partition_and_comes_back(engines, faults):
    client = redis.Redis(port=REDIS, socket_timeout=0.5, retry=None)
    with client:
        assert client.ping()
        with faults.on("redis", partition=True), pytest.raises(redis.TimeoutError):
            client.ping()
        assert client.ping()
