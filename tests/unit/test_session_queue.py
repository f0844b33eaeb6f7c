"""What waits for a slow socket."""

import threading

from hoist.domain.model import Principal
from hoist.gateway.sessions import WRITE_BYTES_MAX, Session

PATIENCE_SECONDS = 10


class SlowSocket:
    """Takes nothing before ``free`` is set."""

    def __init__(self):
        self.writes, self.is_asked, self.free = [], threading.Event(), threading.Event()

    def send(self, *texts):
        self.is_asked.set()
        assert self.free.wait(PATIENCE_SECONDS)
        self.writes.append(list(texts))


def writes(texts):
    """How a session groups *texts*, which wait behind a first one that is being sent."""
    socket = SlowSocket()
    session = Session(socket, Principal("ada", "basic", (), 0))
    session.send_text(b"first")
    assert socket.is_asked.wait(PATIENCE_SECONDS)
    for text in texts:
        session.send_text(text)
    socket.free.set()
    session.flush(PATIENCE_SECONDS)
    return socket.writes[1:]


def test_what_waits_is_sent_in_one_write_and_in_order():
    texts = [b"%d" % number for number in range(50)]
    assert writes(texts) == [texts]


def test_no_write_is_larger_than_a_slow_peer_takes_in_time():
    half = b"x" * (WRITE_BYTES_MAX // 2)
    assert writes([half, half, half]) == [[half, half], [half]]


def test_a_message_that_is_larger_by_itself_is_sent_all_the_same():
    large = b"x" * (WRITE_BYTES_MAX + 1)
    assert writes([large, b"y"]) == [[large], [b"y"]]


def of_this_thread():
    """A socket that takes everything, and its session, whose thread is this one."""
    socket = SlowSocket()
    socket.free.set()
    session = Session(socket, Principal("ada", "basic", (), 0))
    session.own_thread = threading.get_ident()
    return socket, session


def test_what_the_sockets_own_thread_says_goes_in_one_write_when_it_drains():
    socket, session = of_this_thread()
    session.send_text(b"a")
    session.send_text(b"b")
    assert socket.writes == []
    session.drain()
    assert socket.writes == [[b"a", b"b"]]
    session.send_text(b"c")
    session.flush(PATIENCE_SECONDS)
    assert socket.writes[1:] == [[b"c"]], "before a close"


def test_an_event_behind_what_the_own_thread_queued_takes_it_along():
    """Its thread may be at a frame for long: nobody waits for that."""
    socket, session = of_this_thread()
    session.send_text(b"mine")
    sender = threading.Thread(target=session.send_text, args=(b"an event",))
    sender.start()
    sender.join()
    session.flush(PATIENCE_SECONDS)
    assert socket.writes == [[b"mine", b"an event"]]
