"""The socket under a session, with a peer at the other end of a socket pair."""

import base64
import socket
import struct
import threading
import time
import tracemalloc
from contextlib import suppress

import pytest

from hoist.domain.errors import InvalidRequest
from hoist.gateway.socket import WAITING_MAX, ConnectionClosed, SafeServer

PATIENCE_SECONDS = 30
HANDSHAKE = {
    "HTTP_HOST": "gateway.test",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(b"k" * 16).decode(),
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}
TEXT, CONTINUATION, PING = 1, 0, 9


def frame(opcode, payload=b"", *, is_last=True):
    """A client's frame with a mask of zero, which changes nothing."""
    assert len(payload) < 126
    head = struct.pack("!BB4x", opcode | (0x80 if is_last else 0), 0x80 | len(payload))
    return head + payload


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(PATIENCE_SECONDS)
        yield ours, theirs


@pytest.fixture
def connect(pair):
    """Opens the server's half; its reader must have ended when the peer has gone."""
    ours, theirs = pair
    opened = []

    def accept(**headers):
        opened.append(SafeServer({**HANDSHAKE, **headers, "werkzeug.socket": ours}))
        opened[0].accept()
        assert theirs.recv(4096).startswith(b"HTTP/1.1 101 ")
        return opened[0]

    yield accept
    theirs.close()
    for server in opened:
        server.close()
        server.thread.join(PATIENCE_SECONDS)
        assert not server.thread.is_alive()


def until(fact):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)  # between looks


def pieces_of(received):
    """The texts of whole server frames, and the bytes after them."""
    texts = []
    while len(received) >= 4:
        assert received[:2] == b"\x81\x7e", received[:20]
        end = 4 + int.from_bytes(received[2:4], "big")
        if len(received) < end:
            break
        texts.append(received[4:end])
        received = received[end:]
    return texts, received


def test_nothing_follows_a_frame_that_could_not_be_finished(pair, connect):
    ours, theirs = pair
    server = connect()
    ours.settimeout(0.05)
    text = "x" * 30_000
    with pytest.raises(OSError):
        while True:
            server.send(text)
    theirs.setblocking(False)
    received = b""
    with suppress(BlockingIOError):
        while True:
            received += theirs.recv(65536)

    theirs.sendall(frame(PING, b"still there?"))
    with pytest.raises((OSError, ConnectionClosed)):
        server.send("more")
    server.close(1008, "too slow")
    server.thread.join(PATIENCE_SECONDS)
    with suppress(BlockingIOError):
        received += theirs.recv(65536)
    texts, left = pieces_of(received)
    assert set(texts) == {text.encode()}
    assert left[4:] == b"x" * len(left[4:])


def test_a_message_after_our_goodbye_is_for_nobody(pair, connect):
    server = connect()
    server.close(1000, "bye")
    server.close(1000, "bye")
    server.connected = True  # as a sender sees it that looked before the goodbye
    with pytest.raises(ConnectionClosed):
        server.send("late")


def test_what_nobody_takes_waits_at_the_peer_and_ends_with_the_socket(pair, connect):
    _, theirs = pair
    server = connect()
    burst = frame(TEXT, b"x" * 100) * WAITING_MAX * 100
    flood = threading.Thread(target=send_until_closed, args=(theirs, burst))
    flood.start()
    until(lambda: len(server.input_buffer) >= WAITING_MAX)
    server.close(4401, "token expired")
    server.thread.join(PATIENCE_SECONDS)
    assert not server.thread.is_alive()
    flood.join(PATIENCE_SECONDS)
    assert not flood.is_alive()
    # One read may hold several messages, so it is a few more, but not the burst.
    assert len(server.input_buffer) < 2 * WAITING_MAX


def send_until_closed(peer, burst):
    with suppress(OSError):
        peer.sendall(burst)


def test_everything_is_taken_in_order_however_much_waits(pair, connect):
    _, theirs = pair
    server = connect()
    burst = b"".join(frame(TEXT, str(number).encode()) for number in range(WAITING_MAX * 20))
    flood = threading.Thread(target=send_until_closed, args=(theirs, burst))
    flood.start()
    taken = [server.receive(PATIENCE_SECONDS) for _ in range(WAITING_MAX * 20)]
    assert taken == [str(number) for number in range(WAITING_MAX * 20)]
    flood.join(PATIENCE_SECONDS)


def test_empty_pieces_of_a_message_are_not_kept(pair, connect):
    _, theirs = pair
    server = connect()
    burst = frame(CONTINUATION, is_last=False) * 1000
    tracemalloc.start()
    try:
        theirs.sendall(frame(TEXT, b"a", is_last=False))
        for _ in range(25):
            theirs.sendall(burst)
        theirs.sendall(frame(CONTINUATION, b"b"))
        assert server.receive(PATIENCE_SECONDS) == "ab"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(
    "header",
    [
        {"HTTP_CONNECTION": "keep-alive"},
        {"HTTP_UPGRADE": "h2c"},
        {"HTTP_SEC_WEBSOCKET_PROTOCOL": "\xe9"},
        {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "\xe9"},
    ],
    ids=str,
)
def test_a_handshake_that_cannot_be_read_is_an_invalid_request(connect, header):
    with pytest.raises(InvalidRequest):
        connect(**header)


def test_what_waits_goes_in_one_write_each_a_message_of_its_own(pair, connect):
    server = connect()
    server.send("one", "two")
    assert pair[1].recv(65536).endswith(b"\x81\x03one\x81\x03two")


def test_what_is_sent_before_it_is_accepted_follows_the_answer_to_the_handshake(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "werkzeug.socket": ours})
    early = threading.Thread(target=server.send, args=("early",))
    early.start()
    theirs.settimeout(0.2)
    with pytest.raises(TimeoutError):
        theirs.recv(1)
    server.accept()
    early.join(PATIENCE_SECONDS)
    theirs.settimeout(PATIENCE_SECONDS)
    told = b""
    while not told.endswith(b"\x81\x05early"):
        told += theirs.recv(4096)
    assert told.startswith(b"HTTP/1.1 101 ")
    server.close()


def test_a_socket_closed_before_it_is_accepted_says_nothing(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "werkzeug.socket": ours})
    server.close()
    theirs.shutdown(socket.SHUT_WR)
    server.thread.join(PATIENCE_SECONDS)
    assert theirs.recv(4096) == b""


def test_a_socket_closed_before_it_is_accepted_is_never_told_that_it_is_open(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "werkzeug.socket": ours})
    server.close(1001, "going away")
    with pytest.raises(ConnectionClosed):
        server.accept()
    theirs.shutdown(socket.SHUT_WR)
    server.thread.join(PATIENCE_SECONDS)
    assert theirs.recv(4096) == b""


def test_a_peer_that_went_before_it_was_accepted_is_closed(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "werkzeug.socket": ours})
    theirs.close()
    server.thread.join(PATIENCE_SECONDS)
    with pytest.raises(ConnectionClosed):
        server.accept()
