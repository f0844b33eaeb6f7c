"""Tokens: used while they last, refreshed once however many ask, told when they have ended."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from hoist.client import HoistProblem, MemoryStore, NotLoggedIn, Session, Tokens


class Refresher:
    """An issuer that rotates: each refresh token works once."""

    def __init__(self):
        self.spent = []

    def refresh(self, refresh_token):
        if refresh_token in self.spent:
            raise HoistProblem("invalid_grant", 400, "spent")
        self.spent.append(refresh_token)
        return Tokens(f"access-{len(self.spent)}", 2000.0, f"refresh-{len(self.spent)}")


def session(tokens, at):
    return Session(MemoryStore(tokens), Refresher(), clock=lambda: at)


@pytest.mark.parametrize(("at", "token"), [(969.0, "access-0"), (970.0, "access-1")])
def test_a_token_is_refreshed_half_a_minute_before_its_end(at, token):
    assert session(Tokens("access-0", 1000.0, "refresh-0"), at).access_token() == token


def test_a_refused_token_is_refreshed_although_it_should_last():
    fresh = session(Tokens("access-0", 1000.0, "refresh-0"), 0.0)
    assert fresh.access_token(refused="access-0") == "access-1"


def test_many_threads_refresh_once():
    shared = session(Tokens("access-0", 0.0, "refresh-0"), 1000.0)
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda _: shared.access_token(), range(32)))
    assert got == {"access-1"}
    assert shared.issuer.spent == ["refresh-0"]


def test_a_spent_refresh_token_ends_the_login():
    ended = session(Tokens("access-0", 0.0, "refresh-0"), 1000.0)
    ended.issuer.spent.append("refresh-0")
    with pytest.raises(NotLoggedIn, match="has ended"):
        ended.access_token()
    assert ended.store.load() is None


@pytest.mark.parametrize("tokens", [None, Tokens("access-0", 0.0)])
def test_nothing_to_refresh_means_not_logged_in(tokens):
    with pytest.raises(NotLoggedIn):
        session(tokens, 1000.0).access_token()
