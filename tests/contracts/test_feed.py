"""EventFeed: a gateway hears its users' events once each, also across a lost connection."""

import threading
import time

import pytest

from hoist.adapters import redis_client, redis_stream
from hoist.domain.volatile import Event

PATIENCE_SECONDS = 30


@pytest.fixture
def heard():
    return []


@pytest.fixture
def feed(redis, heard):
    feed = redis_stream.EventFeed(redis)
    thread = threading.Thread(target=feed.run, args=(heard.append,), daemon=True)
    thread.start()
    yield feed
    feed.stop()
    thread.join()


def until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def numbers(heard):
    return [event["body"]["number"] for event in heard]


def test_only_wanted_users_are_heard(feed, heard, redis_events, user):
    feed.add(user)
    redis_events.publish([Event(f"{user}-other", {"number": 1}), Event(user, {"number": 2}, "c-1")])
    until(lambda: heard)
    [event] = heard
    assert (event["userId"], event["connectionId"]) == (user, "c-1")
    assert event["body"]["number"] == 2
    feed.remove(user)


def test_what_was_published_while_the_connection_was_lost_is_heard_once(
    feed, heard, redis_events, redis, user
):
    feed.add(user)
    redis_events.publish([Event(user, {"number": 1})])
    until(lambda: numbers(heard) == [1])
    for number in range(2, 30):
        if number % 5 == 0:
            redis.client_kill_filter(_type="pubsub", skipme=True)
        redis_events.publish([Event(user, {"number": number})])
    until(lambda: len(heard) >= 29)
    assert numbers(heard) == list(range(1, 30))
    feed.remove(user)


def test_a_quiet_connection_stays(redis, engines, user):
    """Nobody publishes: it asks whether Redis is there, and takes the answer."""
    name = user.replace("|", "-")
    named = redis_client.client(f"{engines.settings['HOIST_REDIS_URL']}?client_name={name}")
    feed = redis_stream.EventFeed(named, quiet_seconds=0.2, silent_seconds=1.0)
    thread = threading.Thread(target=feed.run, args=([].append,), daemon=True)
    thread.start()

    def mine():
        return [client for client in redis.client_list() if client["name"] == name]

    until(mine)
    [first] = mine()
    until(lambda: [client["id"] for client in mine()] != [first["id"]] or int(mine()[0]["age"]) > 3)
    assert [client["id"] for client in mine()] == [first["id"]]
    feed.stop()
    thread.join()
    named.close()
