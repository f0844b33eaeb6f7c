"""ListCache: a page is read only in the generation it was written for."""

import pytest

from hoist.adapters import redis_client, redis_state


@pytest.fixture(params=["memory", "redis"])
def cache(request):
    return request.getfixturevalue(f"{request.param}_cache")


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


def test_a_slow_reader_cannot_put_an_old_list_back(cache, user):
    generation = cache.generation(user)
    cache.invalidate([user])
    assert cache.put(user, generation, "first", b"old") is False
    assert cache.get(user, generation, "first") is None


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
