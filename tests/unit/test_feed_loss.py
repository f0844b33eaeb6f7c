"""A feed whose connection breaks while users come: it is not mended behind the feed's back."""

import threading
from types import SimpleNamespace

import redis

from hoist.adapters import redis_stream

PATIENCE_SECONDS = 30


class Connection:
    """Takes commands or not; whoever reads from it waits until its loss is noticed."""

    def __init__(self, *, is_broken):
        self.is_broken, self.tried = is_broken, []
        self.is_read, self.is_tried, self.is_noticed = (threading.Event() for _ in range(3))

    def send_command(self, *command, **_):
        self.tried.append(command)
        self.is_tried.set()
        if self.is_broken:
            raise redis.ConnectionError("gone")

    def read_response(self, **_):
        self.is_read.set()
        self.is_noticed.wait(PATIENCE_SECONDS)
        raise redis.ConnectionError("gone")


def test_whoever_comes_after_a_break_is_heard_over_the_next_connection_like_all(monkeypatch):
    monkeypatch.setattr(redis_stream, "SUBSCRIBE_SECONDS_MAX", 0)
    broken, whole, unused = (Connection(is_broken=each) for each in (True, False, False))
    left = [broken, whole, unused]

    def pubsub(**_):
        return SimpleNamespace(
            connection=left.pop(0), subscribe=lambda channel: None, close=lambda: None
        )

    feed = redis_stream.EventFeed(SimpleNamespace(pubsub=pubsub))
    thread = threading.Thread(target=feed.run, args=(print,), daemon=True)
    thread.start()
    assert broken.is_read.wait(PATIENCE_SECONDS)
    feed.add("ada")
    feed.add("bob")
    broken.is_noticed.set()
    assert whole.is_tried.wait(PATIENCE_SECONDS)
    feed.stop()
    whole.is_noticed.set()
    thread.join(PATIENCE_SECONDS)
    feed.remove("ada")  # over a connection that is somebody else's by now
    assert broken.tried == [("SUBSCRIBE", "hoist:{ada}:events")]
    assert whole.tried == [("SUBSCRIBE", "hoist:{ada}:events", "hoist:{bob}:events")]
