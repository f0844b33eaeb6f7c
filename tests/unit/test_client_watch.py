"""Watching: one stream over one connection after another, each kept event exactly once."""

import io
from contextlib import ExitStack

import pytest

from hoist.client import Client, Retry, StaticToken, Unreachable
from tests.unit.fake_service import TOKEN, running_service

AT_ONCE = Retry((0.0, 0.0), sleep=lambda seconds: None, patience_seconds=10)


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def client(service):
    with Client([service.url], StaticToken(TOKEN), retry=AT_ONCE) as client:
        yield client


def names(events, count):
    return [next(events)["event"] for _ in range(count)]


def test_watching_begins_with_now(client, service):
    client.upload(io.BytesIO(b"old"), name="old", message_id="m-0")
    events = client.watch()
    assert names(events, 1) == ["watch.connected"]
    client.upload(io.BytesIO(b"new"), name="new", message_id="m-1")
    heard = next(events)
    assert (heard["event"], heard["fileId"]) == ("upload.stored", "id-m-1")
    events.close()


def test_a_lost_connection_neither_repeats_nor_misses(client, service):
    service.announce({"messageId": "m", "file": {"name": "a", "size": 1}})
    events = client.watch()
    next(events)
    service.tell("upload.ready", "id-m")
    assert next(events)["n"] == 10
    service.close_sockets()
    service.tell("upload.expired", "id-m")  # nobody is connected
    service.tell("upload.ready", "id-m")
    assert [next(events)["n"] for _ in range(2)] == [20, 30]
    assert names(events, 1) == ["watch.connected"]
    service.tell("upload.stored", "id-m")
    assert next(events)["n"] == 40
    events.close()


def test_events_out_of_order_are_all_heard_once(client, service):
    service.announce({"messageId": "m", "file": {"name": "a", "size": 1}})
    events = client.watch()
    next(events)
    for n in (20, 10):
        told = {"event": "upload.ready", "fileId": "id-m", "messageId": "m", "n": n}
        service.kept.append(told)
        service.sockets[-1].say(told)
    assert [next(events)["n"] for _ in range(2)] == [20, 10]
    service.close_sockets()
    assert names(events, 1) == ["watch.connected"]
    events.close()


def test_what_went_to_another_socket_is_not_news_after_a_reconnect(client, service):
    service.announce({"messageId": "m", "file": {"name": "a", "size": 1}})
    events = client.watch()
    next(events)
    service.tell("upload.cancelled", "id-m")
    ready = {"event": "upload.ready", "fileId": "id-m", "messageId": "m", "n": 20}
    service.kept.append(ready)  # the watcher's socket did not ask for it
    service.tell("upload.stored", "id-m")
    assert [next(events)["n"] for _ in range(2)] == [10, 30]
    service.close_sockets()
    service.tell("upload.ready", "id-m")
    assert next(events)["n"] == 40
    assert names(events, 1) == ["watch.connected"]
    events.close()


def test_silence_is_told_when_asked_for(client):
    events = client.watch(quiet_seconds=0.01)
    assert names(events, 2) == ["watch.connected", "watch.quiet"]
    events.close()


def test_a_gateway_that_stays_away_ends_it_after_some_patience():
    waited = []
    retry = Retry((0.0,), waited.append, lambda pause: pause, patience_seconds=10)
    with ExitStack() as gateway:
        service = gateway.enter_context(running_service())
        with Client([service.url], StaticToken(TOKEN), retry=retry) as client:
            events = client.watch()
            next(events)
            gateway.close()
            with pytest.raises(Unreachable):
                next(events)
    assert waited.count(2.0) == 5


def test_those_who_were_cut_off_at_once_do_not_come_back_at_once():
    pauses = {Retry().spread(2.0) for _ in range(100)}
    assert len(pauses) > 50
    assert all(1.0 <= pause <= 3.0 for pause in pauses)
