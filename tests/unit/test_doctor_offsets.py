"""What groups have committed: outside of the log, read by nobody, or stuck; and what is not."""

from dataclasses import replace

import pytest

from hoist.domain.messages import groups
from hoist.pipeline.doctor import Seen
from hoist.pipeline.doctor_offsets import CheckOffsets, worker_of
from hoist.workers.__main__ import KAFKA
from tests.doubles import Clock
from tests.unit.test_lag import MemoryWatch
from tests.unit.world import Meanwhile

LANE, RETRY = "hoist.ingest.basic", "hoist.upload-basic.retry-30s"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch():
    return MemoryWatch()


@pytest.fixture
def waits(clock):
    return Meanwhile(clock)


@pytest.fixture
def offsets(watch, clock, waits):
    return CheckOffsets(watch, clock, waits)


def test_groups_that_are_done_are_looked_at_once(offsets, waits):
    what = f"{sum(map(len, groups().values()))} partitions of 8 groups: in the log, read, not stuck"
    assert offsets() == Seen(what)
    assert waits.waits == 0


def test_what_was_committed_past_the_end_is_rewound(watch, offsets):
    watch.behind[LANE] = (40, 41, None)
    [one] = offsets().findings
    assert (one.kind, one.subject) == ("committed_past_end", f"upload-basic {LANE}:0")
    assert one.mend == "hoist admin rewind upload-basic"


def test_a_commit_between_the_two_questions_of_a_look_is_not_past_the_end(watch, offsets, waits):
    watch.behind[LANE] = (40, 41, None)
    waits.then = lambda: watch.behind.update({LANE: (41 + waits.waits, 42 + waits.waits, None)})
    assert offsets().findings == ()


def test_records_that_went_before_they_were_handled_are_told(watch, offsets):
    watch.begins[LANE] = 10
    watch.behind[LANE] = (10, 10, None)
    assert offsets().findings == ()
    watch.behind[LANE] = (10, 9, None)
    [one] = offsets().findings
    assert (one.kind, one.mend) == ("records_lost", "hoist admin rewind upload-basic")


def test_partitions_that_nobody_reads_say_which_worker_to_start(watch, offsets):
    watch.left = {"metadata-handler", "upload-basic.retry"}
    told = offsets().findings
    assert {one.kind for one in told} == {"no_owner"}
    mends = {one.subject: one.mend for one in told}
    assert mends["metadata-handler hoist.metadata:0"] == "python -m hoist.workers metadata"
    assert mends[f"upload-basic.retry {RETRY}:0"] == "python -m hoist.workers retries"


def test_every_group_has_a_worker_of_that_name():
    assert {worker_of(group) for group in groups()} == {*KAFKA, "retries"}


def test_a_group_that_is_rearranged_is_looked_at_again(watch, offsets, waits):
    watch.left = {"metadata-handler"}
    waits.then = watch.left.clear
    assert offsets().findings == ()
    assert waits.waits == 1


def test_groups_that_are_rearranged_one_after_the_other_are_all_well(watch, offsets, waits):
    watch.left = {"metadata-handler"}
    waits.then = lambda: setattr(watch, "left", {"archives"})
    assert offsets().findings == ()


def test_an_old_lag_that_does_not_move_is_told_and_one_that_moves_is_not(
    watch, clock, offsets, waits
):
    watch.behind[LANE] = (100, 40, clock() - 60_000)
    [one] = offsets().findings
    assert (one.kind, one.mend) == ("not_moving", "")
    assert "the worker upload-basic" in one.advice
    assert "60 records wait" in one.detail
    waits.then = lambda: watch.behind.update({LANE: (100, 41, clock() - 60_000)})
    assert offsets().findings == ()


def test_a_lag_that_is_young_is_work_in_hand(watch, clock, offsets, waits):
    watch.behind[LANE] = (100, 40, clock() - 10_000)
    assert offsets().findings == ()
    assert waits.waits == 0


def test_a_record_that_waits_for_its_time_is_not_stuck_until_it_is_due(watch, clock, offsets):
    watch.behind[RETRY] = (1, None, clock() - 40_000)
    assert offsets().findings == ()
    watch.behind[RETRY] = (1, None, clock() - 41_000)
    [one] = offsets().findings
    assert one.kind == "not_moving"
    assert "the worker retries" in one.advice


def test_an_archive_may_take_its_minutes(watch, clock, offsets):
    watch.behind["hoist.archives"] = (1, 0, clock() - 840_000)
    assert offsets().findings == ()
    watch.behind["hoist.archives"] = (1, 0, clock() - 851_000)
    assert [one.kind for one in offsets().findings] == ["not_moving"]


def test_offsets_are_those_of_topics_under_their_prefix(watch, offsets):
    replace(offsets, topic_prefix="eu.")()
    assert watch.asked[0]["metadata-handler"] == ["eu.hoist.metadata"]
