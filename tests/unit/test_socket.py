"""The socket under a session, with a peer at the other end of a socket pair."""

import base64
import socket
import struct
import threading
import time
import tracemalloc
from contextlib import suppress

import pytest
from websockets.frames import Frame, Opcode

from hoist.domain.errors import InvalidRequest
from hoist.gateway import socket as gateway_socket
from hoist.gateway.socket import READ_BYTES, ConnectionClosed, SafeServer

PATIENCE_SECONDS = 30
HANDSHAKE = {
    "HTTP_HOST": "gateway.test",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(b"k" * 16).decode(),
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}
TEXT, CONTINUATION, CLOSE, PING, PONG = 1, 0, 8, 9, 10


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
    """Opens the server's half; who receives must hear of it when the peer has gone."""
    ours, theirs = pair
    opened = []

    def accept(ping_interval=25, **headers):
        environ = {**HANDSHAKE, **headers, "gunicorn.socket": ours}
        opened.append(SafeServer(environ, ping_interval=ping_interval))
        opened[0].accept()
        assert theirs.recv(4096).startswith(b"HTTP/1.1 101 ")
        return opened[0]

    yield accept
    theirs.close()
    for server in opened:
        with pytest.raises(ConnectionClosed):
            while server.receive(PATIENCE_SECONDS) is not None:
                pass


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


def test_nothing_follows_a_frame_that_could_not_be_finished(pair, connect, monkeypatch):
    _, theirs = pair
    server = connect()
    monkeypatch.setattr(gateway_socket, "WRITE_SECONDS_MAX", 0.05)
    text = b"x" * 30_000
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
        server.send(b"more")
    server.close(1008, "too slow")
    with suppress(BlockingIOError):
        received += theirs.recv(65536)
    texts, left = pieces_of(received)
    assert set(texts) == {text}
    assert left[4:] == b"x" * len(left[4:])


def test_a_message_after_our_goodbye_is_for_nobody(pair, connect):
    ours, theirs = pair
    server = connect()
    server.close(1000, "bye")
    server.close(1001, "again")
    with pytest.raises(ConnectionClosed):
        server.send(b"late")
    ours.close()
    assert theirs.recv(4096) == b"\x88\x05\x03\xe8bye"
    assert theirs.recv(4096) == b""


def test_what_nobody_takes_waits_at_the_peer_and_ends_with_the_socket(pair, connect):
    ours, theirs = pair
    server = connect()
    burst = frame(TEXT, b"x" * 100) * 10_000
    flood = threading.Thread(target=send_until_closed, args=(theirs, burst))
    flood.start()
    assert server.receive(PATIENCE_SECONDS) == "x" * 100
    assert len(server._messages) < READ_BYTES / 100
    server.close(4401, "token expired")
    with pytest.raises(ConnectionClosed):
        server.receive(PATIENCE_SECONDS)
    ours.close()
    flood.join(PATIENCE_SECONDS)
    assert not flood.is_alive()


def test_who_waits_for_a_message_hears_at_once_that_somebody_closed(connect):
    server, ended = connect(), threading.Event()

    def wait():
        with pytest.raises(ConnectionClosed):
            server.receive()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.05)  # it most likely waits by now; it must hear either way
    server.close(1001, "going away")
    assert ended.wait(PATIENCE_SECONDS)


def test_what_came_before_the_peers_goodbye_is_still_taken(pair, connect):
    _, theirs = pair
    server = connect()
    theirs.sendall(frame(TEXT, b"last words") + frame(CLOSE, b"\x03\xe8bye") + frame(TEXT, b"no"))
    assert server.receive(PATIENCE_SECONDS) == "last words"
    with pytest.raises(ConnectionClosed) as closed:
        server.receive(PATIENCE_SECONDS)
    assert (closed.value.reason, closed.value.message) == (1000, "bye")
    assert theirs.recv(4096) == b"\x88\x05\x03\xe8bye"


def test_a_silent_peer_is_asked_and_then_given_up(pair, connect):
    _, theirs = pair
    server = connect(ping_interval=0.05)
    with pytest.raises(ConnectionClosed) as closed:
        server.receive(PATIENCE_SECONDS)
    assert closed.value.reason == 1008
    assert theirs.recv(4096).startswith(b"\x89\x00")


def test_a_peer_that_answers_pings_is_kept_and_its_own_are_answered(pair, connect):
    _, theirs = pair
    server = connect(ping_interval=0.2)
    received = []

    def answer():
        with suppress(OSError):
            while len(received) < 4:
                received.append(theirs.recv(2))
                theirs.sendall(frame(PONG))
            theirs.sendall(frame(PING, b"and you?") + frame(TEXT, b"done"))

    threading.Thread(target=answer, daemon=True).start()
    assert server.receive(PATIENCE_SECONDS) == "done"
    assert received == [b"\x89\x00"] * 4
    assert theirs.recv(4096) == b"\x8a\x08and you?"


def test_a_frame_in_drips_is_no_sign_of_life(pair, connect):
    _, theirs = pair
    server = connect(ping_interval=0.2)

    def drip():
        with suppress(OSError):
            for byte in frame(TEXT, b"x" * 100):
                theirs.sendall(bytes([byte]))
                time.sleep(0.05)  # all of it would take 5 s

    threading.Thread(target=drip, daemon=True).start()
    with pytest.raises(ConnectionClosed) as closed:
        server.receive(PATIENCE_SECONDS)
    assert closed.value.reason == 1008


def test_a_write_has_its_own_time_however_short_a_reader_waits_meanwhile():
    class Torn:
        """Takes a part at a time; a reader comes in between each time."""

        def __init__(self):
            self.timeout, self.writes = None, []

        def settimeout(self, seconds):
            self.timeout = seconds

        def send(self, data):
            self.writes.append((self.timeout, len(data)))
            self.timeout = 0.001
            return min(1000, len(data))

    torn = Torn()
    server = SafeServer({**HANDSHAKE, "gunicorn.socket": torn}, ping_interval=25)
    server.accept()
    del torn.writes[:]
    server.send(b"x" * 2496)
    assert [size for _, size in torn.writes] == [2500, 1500, 500]
    assert all(9 < seconds <= 10 for seconds, _ in torn.writes)


def test_who_sends_before_it_is_accepted_hears_at_once_that_it_never_will_be(pair):
    ours, _ = pair
    server, refused = SafeServer({**HANDSHAKE, "gunicorn.socket": ours}, ping_interval=25), []

    def send():
        with suppress(ConnectionClosed):
            server.send(b"early")
        refused.append(True)

    early = threading.Thread(target=send)
    early.start()
    server.close()
    early.join(5)
    assert refused


def test_a_character_may_be_cut_between_two_pieces(pair, connect):
    _, theirs = pair
    server = connect()
    first, second = "\u00fc".encode()[:1], "\u00fc".encode()[1:]
    theirs.sendall(frame(TEXT, first, is_last=False) + frame(CONTINUATION, second))
    assert server.receive(PATIENCE_SECONDS) == "\u00fc"


def send_until_closed(peer, burst):
    with suppress(OSError):
        peer.sendall(burst)


def test_everything_is_taken_in_order_however_much_waits(pair, connect):
    _, theirs = pair
    server = connect()
    burst = b"".join(frame(TEXT, str(number).encode()) for number in range(20_000))
    flood = threading.Thread(target=send_until_closed, args=(theirs, burst))
    flood.start()
    taken = [server.receive(PATIENCE_SECONDS) for _ in range(20_000)]
    assert taken == [str(number) for number in range(20_000)]
    flood.join(PATIENCE_SECONDS)


def test_empty_pieces_of_a_message_are_not_kept(pair, connect):
    _, theirs = pair
    server = connect()
    burst = frame(CONTINUATION, is_last=False) * 1000
    tracemalloc.start()
    try:
        whole = frame(TEXT, b"a", is_last=False) + burst * 50 + frame(CONTINUATION, b"b")
        flood = threading.Thread(target=send_until_closed, args=(theirs, whole))
        flood.start()
        assert server.receive(PATIENCE_SECONDS) == "ab"
        flood.join(PATIENCE_SECONDS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(whole) + 800_000  # the frames of one read; all pieces are over 3 MB


@pytest.mark.parametrize(
    "header",
    [
        {"HTTP_CONNECTION": "keep-alive"},
        {"HTTP_CONNECTION": "\xe9"},
        {"HTTP_UPGRADE": "h2c"},
        {"HTTP_SEC_WEBSOCKET_KEY": "\xe9"},
        {"HTTP_SEC_WEBSOCKET_KEY": "c2hvcnQ="},
        {"HTTP_SEC_WEBSOCKET_VERSION": "8"},
        {"HTTP_SEC_WEBSOCKET_PROTOCOL": "\xe9"},
    ],
    ids=str,
)
def test_a_handshake_that_cannot_be_read_is_an_invalid_request(connect, header):
    with pytest.raises(InvalidRequest):
        connect(**header)


def test_what_waits_goes_in_one_write_each_a_message_of_its_own(pair, connect):
    server = connect()
    server.send(b"one", b"two")
    assert pair[1].recv(65536).endswith(b"\x81\x03one\x81\x03two")


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 130_000])
def test_a_message_of_any_size_is_one_whole_frame(pair, connect, size):
    text = ("\u00fc" * (size // 2) + "x" * (size % 2)).encode()
    server, sent = connect(), Frame(Opcode.TEXT, text).serialize(mask=False)
    threading.Thread(target=server.send, args=(text,)).start()
    told = b""
    while len(told) < len(sent):
        told += pair[1].recv(65536)
    assert told == sent


def test_what_is_sent_before_it_is_accepted_follows_the_answer_to_the_handshake(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "gunicorn.socket": ours}, ping_interval=25)
    early = threading.Thread(target=server.send, args=(b"early",))
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
    server = SafeServer({**HANDSHAKE, "gunicorn.socket": ours}, ping_interval=25)
    server.close()
    ours.close()
    assert theirs.recv(4096) == b""


def test_a_socket_closed_before_it_is_accepted_is_never_told_that_it_is_open(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "gunicorn.socket": ours}, ping_interval=25)
    server.close(1001, "going away")
    with pytest.raises(ConnectionClosed):
        server.accept()
    ours.close()
    assert theirs.recv(4096) == b""


def test_a_peer_that_went_before_it_was_accepted_is_closed(pair):
    ours, theirs = pair
    server = SafeServer({**HANDSHAKE, "gunicorn.socket": ours}, ping_interval=25)
    theirs.close()
    with pytest.raises(ConnectionClosed):
        server.accept()
