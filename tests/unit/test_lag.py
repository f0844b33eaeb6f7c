"""How far behind, how fast, how long yet: for people, for Prometheus and for CloudWatch."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest

from hoist import wiring
from hoist.cli import lag as cli_lag
from hoist.cli import main
from hoist.domain.errors import Unavailable
from hoist.domain.lag import Lag, PartitionLag, Place
from hoist.domain.messages import groups, setting_aside
from hoist.pipeline.lag import MeasureLag, metrics
from hoist.workers.metrics import Gauges
from tests.doubles import Clock

GROUP, TOPIC = "upload-basic", "hoist.ingest.basic"


class MemoryWatch:
    """One partition a topic; ``behind`` is (end, committed, appended at) by topic.

    ``left`` are the groups that nobody reads for.
    """

    def __init__(self):
        self.behind, self.begins, self.letters = {}, {}, {}
        self.asked, self.left, self.rewound = [], set(), []

    def places(self, read):
        self.asked.append(read)
        return [self._place(group, topic) for group, topics in read.items() for topic in topics]

    def _place(self, group, topic):
        end, committed, at = self.behind.get(topic, (0, None, None))
        begin = self.begins.get(topic, 0)
        following = min(max(committed or 0, begin), end)
        return Place(group, topic, 0, end, committed, following, at, begin)

    def rewind(self, group, places):
        self.rewound.append((group, places))

    def owned(self, read):
        topics = groups()
        return {
            (group, topic, 0) for group in read if group not in self.left for topic in topics[group]
        }

    def sizes(self, topics):
        return {topic: self.letters.get(topic, 0) for topic in topics}

    def close(self):
        pass


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch():
    return MemoryWatch()


@pytest.fixture
def measure(watch, clock):
    return MeasureLag(watch, clock)


def of(lag, topic=TOPIC):
    [one] = [one for one in lag.partitions if one.topic == topic]
    return one


def test_every_group_its_ladder_and_all_dead_letters_are_looked_at(watch, measure):
    watch.letters["hoist.archives.dlq"] = 3
    lag = measure()
    assert {one.group for one in lag.partitions} == set(groups())
    assert {one.topic for one in lag.partitions} >= {TOPIC, "hoist.upload-basic.retry-600s"}
    assert lag.dead_letters == dict.fromkeys(setting_aside(), 0) | {"archives": 3}


def test_dead_letters_of_the_queue_are_told_too_but_never_old_ones(watch, clock):
    counts = iter([2, Unavailable("the queue is unavailable"), 5])

    def in_queue():
        count = next(counts)
        if isinstance(count, Unavailable):
            raise count
        return count

    measure = MeasureLag(watch, clock, queue_letters=in_queue)
    assert [measure().dead_letters.get("bucket-events") for _ in range(3)] == [2, None, 5]


def test_topics_are_looked_at_under_their_prefix_and_groups_have_none(watch, clock):
    MeasureLag(watch, clock, "eu.")()
    [read] = watch.asked
    assert read["upload-basic.retry"][0] == "eu.hoist.upload-basic.retry-5s"


def test_the_first_look_knows_the_lag_and_its_age_but_no_speed(watch, measure, clock):
    watch.behind[TOPIC] = (100, 40, clock() - 2500)
    one = of(measure())
    assert (one.lag, one.oldest_seconds) == (60, 2.5)
    assert (one.records_per_second, one.drain_seconds) == (None, None)


def test_the_speed_is_what_was_committed_and_the_drain_follows_from_it(watch, measure, clock):
    watch.behind[TOPIC] = (100, 40, clock())
    measure()
    clock.advance(seconds=2)
    watch.behind[TOPIC] = (100, 60, clock())
    one = of(measure())
    assert (one.records_per_second, one.drain_seconds) == (10.0, 4.0)


def test_nothing_that_moves_is_no_estimate_and_nothing_that_waits_is_none_needed(
    watch, measure, clock
):
    watch.behind[TOPIC] = (100, 40, clock())
    measure()
    clock.advance(seconds=5)
    assert of(measure()).records_per_second == 0
    assert of(measure()).drain_seconds is None
    assert of(measure(), "hoist.metadata").drain_seconds == 0


def test_a_speed_is_that_of_the_last_thirty_seconds(watch, measure, clock):
    for committed in (0, 1000, 1000, 1000, 1000):
        watch.behind[TOPIC] = (2000, committed, clock())
        last = of(measure())
        clock.advance(seconds=15)
    assert last.records_per_second == 0


def test_a_group_that_was_set_back_has_no_speed_below_zero(watch, measure, clock):
    watch.behind[TOPIC] = (100, 80, clock())
    measure()
    clock.advance(seconds=1)
    watch.behind[TOPIC] = (100, 10, clock())
    assert of(measure()).records_per_second == 0


def partition(number, lag, drain, topic=TOPIC):
    return PartitionLag(GROUP, topic, number, 100, 100 - lag, lag, float(lag), 2.0, drain)


def test_cloudwatch_hears_of_the_worst_partition_and_of_the_sum():
    lag = Lag((partition(0, 3, 1.5), partition(1, 7, 3.5)), {GROUP: 2})
    told = {(m.namespace, m.name): (m.value, m.unit, m.dimensions) for m in metrics(lag, "Space")}
    by_topic = {"Consumer Group": GROUP, "Topic": TOPIC}
    assert told == {
        ("Space", "MaxOffsetLag"): (7, "Count", by_topic),
        ("Space", "SumOffsetLag"): (10, "Count", by_topic),
        ("Space", "EstimatedMaxTimeLag"): (3.5, "Seconds", by_topic),
        ("Hoist", "OldestSeconds"): (7.0, "Seconds", {"Consumer Group": GROUP}),
        ("Hoist", "RecordsPerSecond"): (4.0, "Count/Second", {"Consumer Group": GROUP}),
        ("Hoist", "DrainSeconds"): (3.5, "Seconds", {"Consumer Group": GROUP}),
        ("Hoist", "DeadLetters"): (2, "Count", {"Consumer Group": GROUP}),
    }


def test_an_endless_time_is_no_number():
    lag = Lag((partition(0, 3, 1.5), partition(1, 7, None)), {})
    names = {metric.name for metric in metrics(lag, "Space")}
    assert names == {"MaxOffsetLag", "SumOffsetLag", "OldestSeconds", "RecordsPerSecond"}


def scraped(latest):
    registry, gauges = CollectorRegistry(), Gauges()
    registry.register(gauges)
    gauges.latest = latest
    return generate_latest(registry).decode()


def test_prometheus_hears_of_each_partition_and_of_nothing_while_nobody_knows():
    text = scraped(Lag((partition(0, 3, None),), {GROUP: 2}))
    labels = f'{{group="{GROUP}",partition="0",topic="{TOPIC}"}}'
    assert f"hoist_consumer_lag{labels} 3.0" in text
    assert f"hoist_consumer_oldest_seconds{labels} 3.0" in text
    assert f"hoist_consumer_records_per_second{labels} 2.0" in text
    assert "hoist_consumer_drain_seconds{" not in text
    assert f'hoist_dead_letters{{group="{GROUP}"}} 2.0' in text
    assert scraped(None) == ""


@pytest.fixture
def operator(monkeypatch, watch, clock):
    """Runs `hoist admin lag` on what *watch* says; a second passes between two looks."""
    services = SimpleNamespace(measure_lag=MeasureLag(watch, clock), close=watch.close)
    monkeypatch.setattr(wiring, "services", lambda: services)
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) > 2:
            raise KeyboardInterrupt
        clock.advance(seconds=seconds)

    monkeypatch.setattr(cli_lag, "time", SimpleNamespace(sleep=sleep))
    return lambda *words: CliRunner().invoke(main, ["admin", "lag", *words])


def test_in_a_pipe_it_is_rows_an_empty_line_and_the_dead_letters(operator, watch, clock):
    watch.behind[TOPIC] = (100, 40, clock() - 2000)
    watch.behind["hoist.upload-basic.retry-5s"] = (1, None, clock())
    told = operator()
    rows, letters = told.stdout.split("\n\n")
    cells = [row.split("\t") for row in rows.splitlines()]
    assert [GROUP, TOPIC, "0", "100", "40", "60", "3 s", "0.0", "-"] in cells
    assert [row[5] for row in cells if row[0] == "upload-basic.retry"] == ["1"]
    assert letters.splitlines()[0] == "upload-premium\t0"
    assert told.exit_code == 0


def test_json_has_every_topic(operator):
    told = json.loads(operator("--json").stdout)
    assert len(told["partitions"]) == sum(map(len, groups().values()))
    assert told["partitions"][0].keys() >= {"oldestSeconds", "recordsPerSecond", "drainSeconds"}
    assert told["deadLetters"] == dict.fromkeys(setting_aside(), 0)


def test_watching_goes_on_until_ctrl_c_and_ends_well(operator):
    told = operator("--watch", "--json")
    assert len([json.loads(line) for line in told.stdout.splitlines()]) == 2
    assert told.exit_code == 0


def test_watching_goes_on_when_the_log_was_away(operator, monkeypatch, watch):
    looks, places = [], watch.places

    def away_at_the_third(read):
        looks.append(read)
        if len(looks) == 3:
            raise Unavailable("the log does not answer")
        return places(read)

    monkeypatch.setattr(watch, "places", away_at_the_third)
    told = operator("--watch", "--json")
    assert len(told.stdout.splitlines()) == 1
    assert "the log does not answer; looking again" in told.stderr
    assert told.exit_code == 0


def test_a_log_that_is_away_is_exit_code_4(operator, monkeypatch, watch):
    def away(read):
        raise Unavailable("the log does not answer")

    monkeypatch.setattr(watch, "places", away)
    told = operator()
    assert told.exit_code == 4
    assert "the log does not answer" in told.stderr
