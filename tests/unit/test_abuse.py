"""What the abuser concludes: from a flood's answers, from a cut, and whose files it knows."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from loadtest import edges, flood
from loadtest.books import Books
from loadtest.flood import Burst
from loadtest.ledger import Outcome
from loadtest.others import KEPT

PONG = {"event": "pong"}
SLOW = {"event": "error", "error": {"code": "slow_down", "retryAfterSeconds": 1}}


def heard(*events, seconds=1.0):
    """Of a tier of 10 a second: 30 within a second, and 1.5 for the clocks."""
    burst = Burst(10)
    for event in events:
        burst.hear(event, seconds)
    return burst


def test_as_many_answers_as_the_guard_lets_pass_prove_nothing():
    burst = heard(*[PONG] * 31)
    assert (burst.is_proof, burst.wrong) == (False, None)


def test_more_answers_than_the_guard_lets_pass_and_no_refusal_are_a_failure():
    burst = heard(*[PONG] * 32)
    assert (burst.is_proof, burst.wrong) == (True, "32 answers within 1.0 s")


def test_too_many_at_first_are_a_failure_however_slow_the_rest_is():
    burst = heard(*[PONG] * 32)
    burst.hear(PONG, 60.0)
    assert burst.wrong


def test_a_refusal_proves_that_it_was_refused():
    burst = heard(*[PONG] * 20, SLOW)
    assert (burst.is_proof, burst.wrong, burst.answers) == (True, None, 21)


def test_a_refusal_among_too_many_answers_is_a_failure():
    assert heard(SLOW, *[PONG] * 32).wrong


@pytest.mark.parametrize(
    "error", [{"code": "slow_down"}, {"code": "internal", "retryAfterSeconds": 1}]
)
def test_a_refusal_must_be_of_the_guard_and_say_when(error):
    assert heard({"event": "error", "error": error}).wrong


def test_what_else_the_user_is_told_is_no_answer():
    assert heard({"event": "upload.stored"}).answers == 0


def upload(books, user_id, message_id, sent=Outcome.OK, *, is_cancelled=False):
    with books.upload(user_id, message_id, 7) as request:
        request.granted(f"file-of-{user_id}-{message_id}")
        request.sent, request.is_cancelled = sent, is_cancelled


def test_only_files_of_others_are_given():
    books = Books()
    upload(books, "ada", "m-1")
    assert books.files.of_another("ada") is None
    upload(books, "grace", "m-2")
    known = books.files.of_another("ada")
    assert (known.user_id, known.message_id, known.file_id) == (
        "grace",
        "m-2",
        "file-of-grace-m-2",
    )


@pytest.mark.parametrize(("sent", "is_cancelled"), [(None, False), (Outcome.OK, True)])
def test_what_was_never_sent_or_was_cancelled_is_no_file(sent, is_cancelled):
    books = Books()
    upload(books, "grace", "m-1", sent, is_cancelled=is_cancelled)
    assert books.files.of_another("ada") is None


def test_files_stay_known_when_the_books_are_handed_over_and_not_in_another_run():
    books = Books()
    upload(books, "grace", "m-1")
    books.hand_over()
    assert books.files.of_another("ada")
    books.start("2")
    assert books.files.of_another("ada") is None


def test_the_youngest_are_kept():
    books = Books()
    for number in range(KEPT + 1):
        upload(books, "grace" if number == 0 else "ada", f"m-{number}")
    assert books.files.of_another("ada") is None


class Gateway(BaseHTTPRequestHandler):
    """One whose process began at the time of day 1000."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# TYPE x gauge\nprocess_start_time_seconds 1000.0\nx 1\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def gateway():
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("since", "is_restarted"), [(999.0, True), (1000.0, False)])
def test_a_gateway_that_began_since_then_has_restarted(gateway, since, is_restarted):
    assert edges.is_restarted([gateway], since, patience_seconds=0) is is_restarted


def test_a_gateway_that_is_away_restarts(gateway):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        assert edges.is_restarted([gateway, away], 2000.0, patience_seconds=0)


class Slow:
    """A socket to a gateway without a guard, that answers so many frames a second."""

    def __init__(self, a_second, clock):
        self.sock, self.bursts = self, []
        self._a_second, self._clock = a_second, clock

    def settimeout(self, seconds):
        pass

    def sendall(self, data):
        self.bursts.append(data.count(b"\x81"))

    def recv(self):
        self._clock[0] += 1 / self._a_second
        return '{"event": "pong"}'


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(flood.time, "monotonic", lambda: now[0])
    # Without its mask a frame's bytes are known.
    monkeypatch.setattr(flood.websocket.ABNF, "format", lambda _: b"\x81")
    return now


@pytest.mark.parametrize(
    ("a_second", "bursts"), [(100_000, [500]), (300, [500, 1000, 2000]), (250, list(flood.BURSTS))]
)
def test_bursts_grow_until_even_a_slow_gateway_without_a_guard_is_found(a_second, bursts, clock):
    slow = Slow(a_second, clock)
    told = list(flood.flood(slow, 200))
    assert slow.bursts == bursts
    assert [burst.is_proof for burst in told] == [False] * (len(bursts) - 1) + [True]
    assert told[-1].wrong


def test_a_gateway_slower_than_what_is_allowed_proves_nothing(clock):
    told = list(flood.flood(Slow(200, clock), 200))
    assert [(burst.is_proof, burst.wrong) for burst in told] == [(False, None)] * len(flood.BURSTS)
