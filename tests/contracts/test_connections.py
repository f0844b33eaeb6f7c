"""Connections: who is connected where, until they leave or their time is over."""

import json
import secrets
from dataclasses import asdict, replace

import pytest

from hoist.adapters import redis_registry
from hoist.domain.volatile import Connection

LIFE_SECONDS = 2 * 3600 + 600


@pytest.fixture(params=["memory", "redis"])
def connections(request):
    return request.getfixturevalue(f"{request.param}_connections")


@pytest.fixture
def socket(user, clock):
    name = secrets.token_urlsafe(11) + "="
    return Connection(name, user, "http://127.0.0.1:1", clock(), "127.0.0.1", "curl/8 (ä)")


def test_an_open_socket_is_found_by_its_id_and_by_its_user(connections, socket):
    connections.add(socket)
    assert connections.find(socket.connection_id) == socket
    assert connections.of_user(socket.user_id) == [socket]


def test_what_never_was_is_not_found(connections, user):
    assert connections.find("never") is None
    assert connections.of_user(user) == []


def test_a_user_may_have_several_and_keeps_the_others_when_one_leaves(connections, socket):
    second = replace(socket, connection_id=socket.connection_id + "2")
    connections.add(socket)
    connections.add(second)
    assert {row.connection_id for row in connections.of_user(socket.user_id)} == {
        socket.connection_id,
        second.connection_id,
    }
    connections.remove(socket)
    connections.remove(socket)
    assert connections.find(socket.connection_id) is None
    assert connections.of_user(socket.user_id) == [second]


def test_nobody_gets_the_sockets_of_another(connections, socket):
    connections.add(socket)
    assert connections.of_user(socket.user_id + "0") == []


def test_a_row_ends_by_itself_also_when_a_newer_one_keeps_the_user_known(
    connections, socket, clock
):
    connections.add(socket)
    clock.advance(seconds=LIFE_SECONDS - 1)
    newer = replace(socket, connection_id=socket.connection_id + "2", connected_at_ms=clock.now_ms)
    connections.add(newer)
    assert len(connections.of_user(socket.user_id)) == 2
    assert connections.find(socket.connection_id) == socket
    clock.advance(seconds=1)
    assert connections.of_user(socket.user_id) == [newer]
    assert connections.find(socket.connection_id) is None


def test_redis_forgets_rows_that_nobody_removed(redis_connections, redis, socket):
    redis_connections.add(socket)
    for name in (
        f"hoist:connection:{socket.connection_id}",
        f"hoist:{{{socket.user_id}}}:connections",
    ):
        assert LIFE_SECONDS - 60 < redis.ttl(name) <= LIFE_SECONDS


def test_without_redis_nobody_is_connected_and_nothing_fails(absent_redis, guard, socket):
    connections = redis_registry.RedisConnections(absent_redis, guard)
    connections.add(socket)
    connections.remove(socket)
    assert connections.find(socket.connection_id) is None
    assert connections.of_user(socket.user_id) == []


def test_a_newer_releases_socket_is_found_as_any_other(redis, redis_connections, socket):
    kept = json.dumps({**asdict(socket), "later": [1]})
    redis.set(f"hoist:connection:{socket.connection_id}", kept, ex=60)
    redis.hset(f"hoist:{{{socket.user_id}}}:connections", socket.connection_id, kept)
    assert redis_connections.find(socket.connection_id) == socket
    assert redis_connections.of_user(socket.user_id) == [socket]
