"""What fails a run of the load: too slow, too little, refused too often, or found wrong."""

import json
from argparse import Namespace

import pytest

from loadtest import generator, report
from loadtest.limits import Limits, Numbers
from loadtest.report import Run

LIMITS = Limits(
    failure_ratio_max=0.0,
    p95_max={"WS stored": 1000},
    p95_max_of_others=5000,
    not_measured=["told to wait"],
    requests_min=1,
    min_by_class={"BasicUploader": {"WS stored": 2}},
    stored_min_by_class={"BasicUploader": {"basic": 1}},
    refusals=["told to wait"],
    refused_ratio_max=0.5,
    waited_share_max=0.5,
)
RUN = Run("Ramp", frozenset(), [], 0, 45.0)
CROWD = Run("CrowdHolds", frozenset({"CrowdUser"}), [], 0, 45.0, crowd=5)


def found(**of_sets):
    sets = {"granted": 5, "stored": 5, "listed": 5, "lostNames": [], "duplicatedNames": []}
    return {
        "requests": {"users": 5},
        "sets": sets | of_sets,
        "storedByTier": {"basic": 5},
        "waitedShares": {"basic": 0.0},
        "newDeadLetters": [],
        "violations": [],
        "violationsCount": 0,
    }


def test_within_the_limits_nothing_is_broken():
    assert LIMITS.broken({"WS stored": Numbers(10, 0, 1000), "GET /me": Numbers(1, 0, 5000)}) == []


@pytest.mark.parametrize(
    ("name", "numbers", "told"),
    [
        ("WS stored", Numbers(10, 0, 1001), "WS stored: p95 1001 ms, over 1000 ms"),
        ("GET /me", Numbers(10, 0, 5001), "GET /me: p95 5001 ms, over 5000 ms"),
        ("GET /me", Numbers(1000, 1, 1), "1 of 1000 requests failed, over the ratio of 0"),
        ("GET /me", Numbers(0, 0, 0), "0 requests, at least 1 were to be made"),
    ],
)
def test_over_a_limit_is_told(name, numbers, told):
    assert LIMITS.broken({name: numbers}) == [told]


def test_how_long_people_were_told_to_wait_is_no_time_of_ours():
    numbers = {"GET /me": Numbers(1, 0, 1), "told to wait": Numbers(1, 0, 60_000)}
    assert LIMITS.broken(numbers) == []


def test_who_takes_part_must_have_done_something():
    numbers = {"WS connect": Numbers(9, 0, 1), "WS stored": Numbers(1, 0, 1)}
    assert LIMITS.broken(numbers) == []
    told = LIMITS.broken(numbers, ["BasicUploader"])
    assert told == ["WS stored: 1 successes, at least 2 must be"]
    numbers["WS stored"] = Numbers(2, 0, 1)
    assert LIMITS.broken(numbers, ["BasicUploader"]) == []


def test_what_failed_is_nothing_done():
    told = LIMITS.broken({"WS stored": Numbers(2, 2, 1)}, ["BasicUploader"])
    assert "WS stored: 0 successes, at least 2 must be" in told


def test_more_than_so_many_may_not_be_refused_by_policy():
    numbers = {"GET /me": Numbers(5, 0, 1), "told to wait": Numbers(5, 0, 1)}
    assert LIMITS.broken(numbers) == []
    numbers["told to wait"] = Numbers(6, 0, 1)
    told = LIMITS.broken(numbers)
    assert told == ["6 of 11 requests were refused by policy, over the ratio of 0.5"]


def test_a_tier_may_not_wait_most_of_its_time_nor_get_nothing():
    assert LIMITS.broken_by_tier({"basic": 1}, {"basic": 0.5}, ["BasicUploader"]) == []
    assert LIMITS.broken_by_tier({"premium": 9}, {"basic": 0.51}, ["BasicUploader"]) == [
        "basic: 0 stored, at least 1 must be",
        "basic: told to wait for 51% of the time of uploads, over 50%",
    ]


@pytest.mark.parametrize(
    ("who", "tier"), [("BasicUploader", "basic"), ("PremiumUploader", "premium")]
)
def test_a_lane_that_is_always_busy_fails_the_run(who, tier):
    """As statistics have it: sockets opened, people told to wait, and nothing else."""
    limits, other = Limits.load("Ramp"), "premium" if tier == "basic" else "basic"
    numbers = {"WS connect": Numbers(7, 0, 9), "WS told to wait": Numbers(60, 0, 1000)}
    told = limits.broken(numbers, [who])
    assert "WS end to end: 0 successes, at least 1 must be" in told
    assert any("refused by policy" in sentence for sentence in told)
    told = limits.broken_by_tier({other: 9}, {other: 0.0, tier: 0.99}, [who])
    assert [sentence.split(":")[0] for sentence in told] == [tier, tier]


def test_what_a_shape_has_of_its_own_takes_only_its_place(tmp_path):
    path = tmp_path / "limits.json"
    everywhere = json.loads(json.dumps(_everywhere()))
    own = {"p95MillisecondsMax": {"WS connect": 9}, "requestsMin": 5}
    path.write_text(json.dumps({"everywhere": everywhere, "Slow": own}))
    limits = Limits.load("Slow", path)
    assert limits.p95_max == {"WS connect": 9, "WS stored": 2}
    assert (limits.requests_min, limits.p95_max_of_others) == (5, 3)
    assert Limits.load("Other", path).p95_max == {"WS connect": 1, "WS stored": 2}


def test_a_crowd_has_more_time_but_not_any():
    crowd, others = Limits.load("CrowdHolds"), Limits.load("Ramp")
    for name, most in crowd.p95_max.items():
        numbers = {"WS end to end": Numbers(1, 0, 1), name: Numbers(1, 0, most)}
        assert crowd.broken(numbers) == []
        assert crowd.broken({**numbers, name: Numbers(1, 0, most + 1)}) != []
    assert others.broken({"WS request to URL": Numbers(1, 0, 50_000)}) != []
    assert crowd.p95_max.keys() >= others.p95_max.keys()


def test_a_good_run_has_nothing_broken():
    assert report.broken_by(found(), Limits.load("CrowdHolds"), CROWD) == []
    assert report.broken_by(found(), Limits.load("Ramp"), RUN) == []


@pytest.mark.parametrize("name", ["granted", "stored", "listed"])
def test_a_crowd_is_all_granted_all_stored_and_all_listed(name):
    [told] = report.broken_by(found(**{name: 4}), Limits.load("CrowdHolds"), CROWD)
    assert f"4 {name}" in told
    assert report.broken_by(found(**{name: 4}), Limits.load("Ramp"), RUN) == []


def test_a_new_dead_letter_fails_the_run():
    bad = found() | {"newDeadLetters": ["upload-basic-7 of ada: Malformed"]}
    [told] = report.broken_by(bad, Limits.load("Ramp"), RUN)
    assert told == "dead letter: upload-basic-7 of ada: Malformed"


def test_dead_letters_that_came_meanwhile_are_told_and_old_ones_are_not():
    old, new = ("dead letters", "metadata-handler"), ("dead letters", "bucket-events")
    before = {old: 2.0, new: 0.0, ("behind", "archives"): 0.0}
    peaks = {old: 2.0, new: 1.0, ("behind", "archives"): 9.0}
    assert report.dead_letters(before, before) == []
    assert report.dead_letters(before, peaks) == ["1 dead letters more of bucket-events"]


def test_a_broken_sentence_is_the_exit_code():
    assert report.Verdict({}, []).exit_code == 0
    assert report.Verdict({}, ["lost: m-1"]).exit_code == 1
    assert report.Verdict({}, []).with_more(["lost: m-1"]).exit_code == 1


def test_the_report_names_the_machine_and_what_was_asked_of_it():
    options = Namespace(users=7, tags=["a"], shape="", web_login=False, tls_key="k", spread=None)
    told = generator.described(options, {"leader": 1.5})
    assert told["options"] == {"users": 7, "tags": "['a']"}
    assert told["cores"] >= 1
    assert told["platform"]
    assert told["cpuSeconds"] == {"leader": 1.5}


def test_the_cpu_of_every_process_is_told():
    effort = generator.Effort()
    effort.told("laptop_b", 2.0)
    effort.told("laptop_a", 1.0)
    effort.told("laptop_a", 3.0)
    told = effort.report()
    assert told.pop("leader") >= 0
    assert told == {"worker 0": 3.0, "worker 1": 2.0}


def _everywhere():
    return {
        "failureRatioMax": 0.0,
        "refusedRatioMax": 0.5,
        "waitedShareMax": 0.5,
        "requestsMin": 1,
        "requestsMinByName": {},
        "requestsMinByClass": {},
        "storedMinByClass": {},
        "p95MillisecondsMax": {"WS connect": 1, "WS stored": 2},
        "p95MillisecondsMaxOfOthers": 3,
        "refusals": [],
        "notMeasured": [],
    }
