"""ListCache: a page is read only in the generation it was written for."""

import pytest

from hoist.adapters import redis_client, redis_state
from hoist.domain.errors import Unavailable
from hoist.domain.volatile import PAGES_KEPT, KeptPage


@pytest.fixture(params=["memory", "redis"])
def cache(request):
    return request.getfixturevalue(f"{request.param}_cache")


@pytest.fixture
def kept_pages(cache, redis):
    """What operators see of it."""
    is_redis = isinstance(cache, redis_state.RedisListCache)
    return redis_state.RedisKeptPages(redis) if is_redis else cache


def test_a_page_comes_back_under_its_name_only(cache, user):
    generation = cache.generation(user)
    assert cache.put(user, generation, "first", b"page") is True
    assert cache.get(user, generation, "first") == b"page"
    assert cache.get(user, generation, "second") is None


def test_the_generation_stays_until_it_is_invalidated(cache, user):
    before = cache.generation(user)
    assert cache.generation(user) == before
    cache.invalidate([user])
    assert cache.generation(user) != before


def test_pages_of_an_older_generation_are_not_found(cache, user):
    cache.put(user, cache.generation(user), "first", b"old")
    cache.invalidate([user])
    assert cache.get(user, cache.generation(user), "first") is None


def test_a_redis_that_is_full_serves_no_old_list(redis_cache, redis, user):
    generation = redis_cache.generation(user)
    assert redis_cache.put(user, generation, "first", b"old")
    redis.config_set("maxmemory", 1)
    try:
        redis_cache.invalidate([user])
        now = redis_cache.generation(user)
        assert now is None or redis_cache.get(user, now, "first") is None
    finally:
        redis.config_set("maxmemory", 0)


def test_a_slow_reader_cannot_put_an_old_list_back(cache, user):
    generation = cache.generation(user)
    cache.invalidate([user])
    assert cache.put(user, generation, "first", b"old") is False
    assert cache.get(user, generation, "first") is None


def test_so_many_pages_of_a_user_are_kept_and_no_more_until_the_next_generation(cache, user):
    generation = cache.generation(user)
    names = [f"page {number}" for number in range(PAGES_KEPT)]
    assert all(cache.put(user, generation, name, b"page") for name in names)
    assert cache.put(user, generation, "one more", b"page") is False
    assert cache.get(user, generation, "one more") is None
    assert cache.put(user, generation, names[0], b"newer") is True
    assert cache.get(user, generation, names[0]) == b"newer"
    assert cache.get(user, generation, names[-1]) == b"page"
    cache.invalidate([user])
    assert cache.put(user, cache.generation(user), "one more", b"page") is True


def test_operators_see_each_page_that_is_shown_and_no_older_one(cache, kept_pages, user):
    user += "}:pages:{"  # user ids are anybody's: some look like keys of ours
    cache.put(user, cache.generation(user), "first", b"old")
    cache.invalidate([user])
    now = cache.generation(user)
    cache.put(user, now, "first", b"page")
    cache.put(user, now, "second", b"other")
    mine = [page for page in kept_pages.scan() if page.user_id == user]
    expected = [KeptPage(user, now, "first", b"page"), KeptPage(user, now, "second", b"other")]
    assert sorted(mine, key=lambda page: page.name) == expected


def test_a_page_is_seen_again_as_it_is_until_the_next_generation(cache, kept_pages, user):
    generation = cache.generation(user)
    cache.put(user, generation, "first", b"page")
    [page] = [page for page in kept_pages.scan() if page.user_id == user]
    assert kept_pages.again(page) == page
    cache.put(user, generation, "first", b"newer")
    assert kept_pages.again(page) == KeptPage(user, generation, "first", b"newer")
    cache.invalidate([user])
    assert kept_pages.again(page) is None


def test_operators_are_told_when_redis_is_away(absent_redis, user):
    kept = redis_state.RedisKeptPages(absent_redis)
    with pytest.raises(Unavailable):
        list(kept.scan())
    with pytest.raises(Unavailable):
        kept.again(KeptPage(user, "g", "first", b"page"))


def test_a_page_that_is_kept_later_ends_with_the_first_one(redis_cache, redis, user):
    generation = redis_cache.generation(user)
    redis_cache.put(user, generation, "first", b"page")
    [key] = redis.scan_iter(f"hoist:{{{user}}}:pages:*")
    assert 0 < redis.ttl(key) <= redis_state.PAGE_SECONDS
    redis.expire(key, 10)
    redis_cache.put(user, generation, "second", b"page")
    redis_cache.put(user, generation, "first", b"newer")
    assert 0 < redis.ttl(key) <= 10


def test_invalidating_one_user_leaves_the_others(cache, user):
    other = user + "-grace"
    generation = cache.generation(other)
    cache.put(other, generation, "first", b"page")
    cache.invalidate([user])
    cache.invalidate([])
    assert cache.get(other, cache.generation(other), "first") == b"page"


def test_many_users_are_invalidated_at_once(cache, user):
    users = [f"{user}-{number}" for number in range(50)]
    before = [cache.generation(name) for name in users]
    cache.invalidate(users)
    assert not set(before) & {cache.generation(name) for name in users}


def test_without_redis_there_is_no_cache_and_no_error(absent_redis, guard):
    cache = redis_state.RedisListCache(absent_redis, guard)
    assert cache.generation("ada") is None
    assert cache.get("ada", "g", "first") is None
    assert cache.put("ada", "g", "first", b"page") is False


def test_what_could_not_be_invalidated_is_made_up_for(redis, absent_redis, guard, user):
    # A page of before the outage would else be shown after it, for as long as it is kept.
    reader = redis_state.RedisListCache(redis, redis_client.Guard())
    before = reader.generation(user)
    writer = redis_state.RedisListCache(absent_redis, redis_client.Guard())
    writer.invalidate([user])
    assert reader.generation(user) == before
    writer._redis = redis  # Redis is back
    writer._guard = guard
    writer.invalidate([])
    assert reader.generation(user) != before


def test_an_invalidation_whose_answer_was_lost_brings_no_page_back(redis, guard, user):
    def deaf(ask, otherwise):
        ask()
        return otherwise

    writer = redis_state.RedisListCache(redis, deaf)
    writer.invalidate([user])
    reader = redis_state.RedisListCache(redis, redis_client.Guard())
    reader.put(user, reader.generation(user), "first", b"old")
    reader.invalidate([user])
    writer._guard = guard
    writer.invalidate([])  # it was never answered, so it is tried again
    assert reader.get(user, reader.generation(user), "first") is None
