"""Leases, progress, lanes and rates: what is known of uploads in flight, and may be forgotten."""

import pytest

from hoist.adapters import rate_limits, redis_uploads
from hoist.domain.volatile import LanePace, Progress, Taken


@pytest.fixture(params=["memory", "redis"])
def leases(request):
    return request.getfixturevalue(f"{request.param}_leases")


@pytest.fixture(params=["memory", "redis"])
def board(request):
    return request.getfixturevalue(f"{request.param}_board")


@pytest.fixture(params=["memory", "redis"])
def lanes(request):
    return request.getfixturevalue(f"{request.param}_lanes")


@pytest.fixture(params=["memory", "redis"])
def limiter(request):
    return request.getfixturevalue(f"{request.param}_limiter")


def test_a_user_nobody_asked_about_is_not_known(leases, user):
    assert leases.active([user]) == {}
    assert leases.active([]) == {}


def test_a_lease_lasts_until_its_end_unless_it_is_renewed(leases, clock, user):
    leases.hold({user: {"f-1": clock() + 1000, "f-2": clock() + 1000}})
    leases.renew(user, "f-2", clock() + 3000)
    assert set(leases.active([user])[user]) == {"f-1", "f-2"}
    clock.advance(seconds=2)
    assert set(leases.active([user])[user]) == {"f-2"}


def test_a_user_without_leases_is_known_all_the_same(leases, clock, user):
    leases.hold({user: {"f-1": clock() + 1000}})
    clock.advance(seconds=2)
    assert leases.active([user]) == {user: {}}
    leases.hold({user: {"f-2": clock() + 1000}})
    leases.free({user: ["f-2", "never"]})
    leases.free({})
    assert leases.active([user]) == {user: {}}


def test_only_a_lease_that_exists_is_renewed_and_never_to_an_earlier_end(leases, clock, user):
    leases.renew(user, "f-1", clock() + 1000)
    assert leases.active([user]) == {}
    leases.hold({user: {"f-1": clock() + 5000}})
    leases.renew(user, "f-1", clock() + 1000)
    leases.renew(user, "f-2", clock() + 1000)
    assert leases.active([user]) == {user: {"f-1": clock() + 5000}}


def test_users_do_not_share_leases(leases, clock, user):
    leases.hold({user: {"f-1": clock() + 1000}})
    assert set(leases.active([user, user + "0"])) == {user}


def test_leases_are_counted_without_a_change(redis, guard, clock, user):
    leases = redis_uploads.RedisLeases(redis, guard, clock)
    leases.hold({user: {"f-1": clock() + 1000, "f-2": clock() + 3000}})
    leases.hold({user + "0": {"f-3": clock() + 3000}})
    assert leases.count([user, user + "0", user + "1"]) == 3
    clock.advance(seconds=2)
    before = redis.dump(f"hoist:{{{user}}}:leases")
    assert leases.count([user]) == 1
    assert redis.dump(f"hoist:{{{user}}}:leases") == before
    assert leases.count([]) == 0


def test_the_latest_progress_is_told(board, user):
    assert board.get(user) is None
    board.put_many({user: Progress("uploading", 10), user + "0": Progress("stored", 20)})
    board.put_many({user: Progress("uploading", 15)})
    board.put_many({})
    assert board.get(user) == Progress("uploading", 15)
    assert board.get(user + "0") == Progress("stored", 20)


def test_a_lane_tells_its_pace_by_partition(lanes, user):
    lanes.report({(user, 0): LanePace(10, 12.5), (user, 1): LanePace(3, 12.5)})
    assert lanes.pace(user, 0) == LanePace(10, 12.5)
    assert lanes.pace(user, 2) is None


def test_a_pace_is_looked_up_again_after_a_moment(redis, guard, user):
    now = [0.0]
    lanes = redis_uploads.RedisLanes(redis, guard, lambda: now[0])
    assert lanes.pace(user, 0) is None
    lanes.report({(user, 0): LanePace(1, 1.0)})
    assert lanes.pace(user, 0) is None
    now[0] += redis_uploads.PACE_SECONDS
    assert lanes.pace(user, 0) == LanePace(1, 1.0)


@pytest.mark.parametrize(("first", "second", "granted"), [(9, 1, 1), (10, 1, 0), (8, 5, 2)])
def test_no_more_than_the_rate_is_granted_within_a_minute(limiter, user, first, second, granted):
    assert limiter.take(user, first, per_minute=10) == Taken(first)
    taken = limiter.take(user, second, per_minute=10)
    assert taken.granted == granted
    if granted < second:
        assert 1 <= taken.retry_after_seconds <= 60
    assert limiter.take(user + "0", 10, per_minute=10) == Taken(10)


def test_the_rates_of_many_users_are_counted_in_one_go_and_apart(limiter, user):
    limiter.take(user, 9, per_minute=10)
    taken = limiter.take_all({user: 5, user + "0": 10, user + "1": 11}, per_minute=10)
    assert {name: one.granted for name, one in taken.items()} == {
        user: 1,
        user + "0": 10,
        user + "1": 10,
    }
    assert taken[user + "0"] == Taken(10)
    assert limiter.take_all({}, per_minute=10) == {}
    assert limiter.take(user + "0", 1, per_minute=10).granted == 0


def test_rates_are_counted_also_by_a_redis_that_began_anew(redis, redis_limiter, user):
    redis.script_flush()
    assert redis_limiter.take_all({user: 9, user + "0": 1}, per_minute=10) == {
        user: Taken(9),
        user + "0": Taken(1),
    }
    assert redis_limiter.take(user, 2, per_minute=10).granted == 1


def test_hours_are_counted_apart_from_minutes(limiter, user):
    assert limiter.take(user, 10, per_minute=10) == Taken(10)
    assert limiter.take_hourly(user, 10, per_hour=12) == Taken(10)
    taken = limiter.take_hourly(user, 3, per_hour=12)
    assert taken.granted == 2
    assert 1 <= taken.retry_after_seconds <= 3600


def test_without_redis_nothing_fails_and_the_rate_still_holds(absent_redis, guard, clock, user):
    leases = redis_uploads.RedisLeases(absent_redis, guard, clock)
    leases.hold({user: {"f-1": clock() + 1000}})
    leases.renew(user, "f-1", clock())
    leases.free({user: ["f-1"]})
    assert leases.active([user]) == {}
    board = redis_uploads.RedisProgressBoard(absent_redis, guard)
    board.put_many({"f-1": Progress("stored", 1)})
    assert board.get("f-1") is None
    lanes = redis_uploads.RedisLanes(absent_redis, guard)
    lanes.report({("topic", 0): LanePace(1, 1.0)})
    assert lanes.pace("topic", 0) is None
    limiter = rate_limits.LimitsRateLimiter(absent_redis, guard)
    assert limiter.take(user, 3, per_minute=2).granted == 2
    assert limiter.take_all({user: 1, user + "0": 2}, per_minute=2)[user].granted == 0
