"""Tickets: good once, for the one they were issued to."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from hoist.adapters import redis_registry
from hoist.domain.errors import Unavailable
from hoist.domain.model import Principal

ADA = Principal("auth0|ada", "basic", ("basic", "a:b"), 1_900_000_000)


@pytest.fixture(params=["memory", "redis"])
def tickets(request):
    return request.getfixturevalue(f"{request.param}_tickets")


def test_a_ticket_names_who_it_was_issued_to_and_only_once(tickets):
    ticket = tickets.issue(ADA, lives_seconds=30)
    assert tickets.redeem(ticket) == ADA
    assert tickets.redeem(ticket) is None


@pytest.mark.parametrize("junk", ["", "never", "a b", "*", "ä" * 300])
def test_what_was_never_issued_names_nobody(tickets, junk):
    assert tickets.redeem(junk) is None


def test_every_ticket_is_another_and_hard_to_guess(tickets):
    issued = {tickets.issue(ADA, lives_seconds=30) for _ in range(50)}
    assert len(issued) == 50
    assert all(len(ticket) >= 32 for ticket in issued)


def test_of_many_who_redeem_at_once_one_gets_in(tickets):
    ticket = tickets.issue(ADA, lives_seconds=30)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(tickets.redeem, [ticket] * 8))
    assert sum(principal is not None for principal in found) == 1


def test_a_ticket_ends_after_its_time(memory_tickets, clock):
    early = memory_tickets.issue(ADA, lives_seconds=30)
    late = memory_tickets.issue(ADA, lives_seconds=30)
    clock.advance(seconds=29.999)
    assert memory_tickets.redeem(early) == ADA
    clock.advance(seconds=0.001)
    assert memory_tickets.redeem(late) is None


def test_redis_ends_a_ticket_after_its_time(redis_tickets, redis):
    ticket = redis_tickets.issue(ADA, lives_seconds=30)
    assert 25 < redis.ttl(f"hoist:ticket:{ticket}") <= 30


def test_without_redis_it_says_so(absent_redis):
    tickets = redis_registry.RedisTickets(absent_redis)
    with pytest.raises(Unavailable):
        tickets.issue(ADA, lives_seconds=30)
    with pytest.raises(Unavailable):
        tickets.redeem("ticket")


def test_a_newer_releases_ticket_lets_its_owner_in(redis, redis_tickets):
    ticket = secrets.token_urlsafe(32)
    redis.set(f"hoist:ticket:{ticket}", json.dumps({**asdict(ADA), "later": None}), ex=60)
    assert redis_tickets.redeem(ticket) == ADA
