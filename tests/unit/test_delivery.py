"""One record's failure goes up the ladder, everybody's waits, and poison is set aside at once."""

import time
from dataclasses import replace

import pytest

from hoist.domain.errors import Unavailable
from hoist.domain.messages import RETRY_SECONDS, envelope_from_json, retry_topic
from hoist.domain.ports import Received
from hoist.pipeline import attempt
from hoist.pipeline import delivery as module
from hoist.pipeline.delayed import TellDelayed
from hoist.pipeline.delivery import Delivery, Doubt
from hoist.pipeline.journey import Journey
from tests.unit.world import World

GROUP, TOPIC, DEAD = "upload-basic", "hoist.ingest.basic", "hoist.upload-basic.dlq"
RUNGS = [retry_topic(GROUP, seconds) for seconds in RETRY_SECONDS]


@pytest.fixture
def world():
    world = World()
    world.is_up = True
    return world


@pytest.fixture
def delivery(world):
    return Delivery(world.log, GROUP, world.clock, lambda: world.is_up)


def failing(world, *message_ids):
    """A step that cannot do these, though everything answers."""

    def step(items):
        if any(item.message.message_id in message_ids for item in items):
            raise Unavailable("somebody else is in the way")
        world.grant(items)

    return step


def run(world, delivery, records, step, told=lambda items, error: None):
    return delivery.run(records, envelope_from_json, step, told)


def waiting(world, topic):
    return world.records(topic)


def test_one_record_that_fails_goes_to_the_ladder_and_its_neighbours_are_done(world, delivery):
    for number in range(7):
        world.ask(f"m-{number}")
    assert run(world, delivery, world.records(TOPIC), failing(world, "m-3", "m-5")) == []
    assert len(world.heard("upload.ready")) == 5
    assert len(waiting(world, RUNGS[0])) == 2
    assert world.log.of(DEAD) == []


def test_a_record_climbs_the_ladder_and_ends_among_the_dead_letters_whole(world, delivery):
    world.ask("m-1")
    [original] = world.records(TOPIC)
    records, step = [original], failing(world, "m-1")
    for seconds, rung in zip(RETRY_SECONDS, RUNGS, strict=True):
        assert run(world, delivery, records, step) == []
        records = waiting(world, rung)
        assert len(records) == 1
        assert run(world, delivery, records, step) == records, "not due yet"
        world.clock.advance(seconds=seconds)
    assert run(world, delivery, records, step) == []
    [letter] = world.records(DEAD)
    journey = Journey.of(letter)
    assert (letter.value, letter.key) == (original.value, original.key)
    assert (journey.origin_topic, journey.origin_offset, journey.attempt) == (TOPIC, 0, 5)
    assert journey.first_failure < journey.last_failure
    assert journey.error == "somebody else is in the way"
    own = [header for header in letter.headers if header in original.headers]
    assert own == list(original.headers)


def test_a_record_that_succeeds_on_the_ladder_is_done(world, delivery):
    world.ask("m-1")
    run(world, delivery, world.records(TOPIC), failing(world, "m-1"))
    world.clock.advance(seconds=RETRY_SECONDS[0])
    assert run(world, delivery, waiting(world, RUNGS[0]), world.grant) == []
    assert len(world.heard("upload.ready")) == 1
    assert (world.log.of(RUNGS[1]), world.log.of(DEAD)) == ([], [])


def test_an_outage_burns_no_attempt_however_long_it_takes(world, delivery):
    for number in range(5):
        world.ask(f"m-{number}")
    world.is_up = False
    records, step = world.records(TOPIC), failing(world, *(f"m-{n}" for n in range(5)))
    for _ in range(100):
        assert run(world, delivery, records, step) == records
    assert not [m for m in world.log.messages if "retry" in m.topic or m.topic == DEAD]
    world.is_up = True
    assert run(world, delivery, records, world.grant) == []
    assert len(world.heard("upload.ready")) == 5


def test_poison_behind_what_is_delivered_again_is_set_aside_once_and_before_it_at_once(
    world, delivery
):
    world.ask("m-1")
    [good] = world.records(TOPIC)
    before, after, elsewhere = (
        replace(good, offset=offset, partition=partition, value=b"poison")
        for offset, partition in ((9, 0), (11, 0), (11, 1))
    )
    good = replace(good, offset=10)
    world.is_up = False
    again = run(world, delivery, [before, good, after, elsewhere], failing(world, "m-1"))
    assert again == [good, after]
    for _ in range(3):
        assert run(world, delivery, again, failing(world, "m-1")) == again
    assert len(world.log.of(DEAD)) == 2
    world.is_up = True
    assert run(world, delivery, again, world.grant) == []
    assert len(world.log.of(DEAD)) == 3


def test_who_waits_for_an_outage_hears_it_once(world, delivery):
    world.ask("m-1")
    world.is_up = False
    told = TellDelayed(world.events, world.clock)
    for _ in range(3):
        run(world, delivery, world.records(TOPIC), failing(world, "m-1"), told)
    [heard] = [event for event in world.events.published if event.body["event"] == "upload.delayed"]
    assert (heard.body["messageId"], heard.connection_id) == ("m-1", "c-1")
    assert "safe" in heard.body["detail"]


def ids(records):
    return [envelope_from_json(record.value).message_id for record in records]


def test_nothing_is_done_behind_what_waits(world, delivery):
    """The dependency goes away between two halves of a batch."""
    for number in range(4):
        world.ask(f"m-{number}")
    tried = []

    def step(items):
        tried.append([item.message.message_id for item in items])
        world.is_up = len(items) > 1
        raise Unavailable("it flaps")

    again = run(world, delivery, world.records(TOPIC), step)
    assert ids(again) == ["m-0", "m-1", "m-2", "m-3"]
    assert tried == [["m-0", "m-1", "m-2", "m-3"], ["m-0", "m-1"], ["m-0"]]
    assert world.log.of(RUNGS[0]) == []


def test_what_comes_before_it_is_moved_and_what_is_elsewhere_waits_as_well(world, delivery):
    for number in range(4):
        world.ask(f"m-{number}")
    records = [
        replace(record, partition=number // 3) for number, record in enumerate(world.records(TOPIC))
    ]

    def step(items):
        names = [item.message.message_id for item in items]
        world.is_up = names != ["m-1"]
        if "m-0" in names or "m-1" in names:
            raise Unavailable("first one record, then everybody")
        world.grant(items)

    assert ids(run(world, delivery, records, step)) == ["m-1", "m-2", "m-3"]
    assert ids(world.records(RUNGS[0])) == ["m-0"]
    assert world.heard("upload.ready") == []


def test_a_record_that_is_due_waits_behind_one_that_is_not(world, delivery):
    """Two workers' clocks differ: else it would be moved again at every look."""
    for number in range(2):
        world.ask(f"m-{number}")
        run(world, delivery, world.records(TOPIC)[number:], failing(world, f"m-{number}"))
        world.clock.advance(seconds=-300)
    rung = world.records(RUNGS[0])
    world.clock.advance(seconds=310)
    for _ in range(3):
        assert run(world, delivery, rung, failing(world, "m-0", "m-1")) == rung
    assert world.log.of(RUNGS[1]) == []


def test_poison_of_one_batch_goes_to_the_log_together(world, delivery):
    """So that a log that goes away in between leaves no letter that comes again."""
    world.ask("m-1")
    [good] = world.records(TOPIC)
    poison = [replace(good, offset=offset, value=b"poison") for offset in (1, 2, 3)]
    appended = []
    world.log.append = lambda messages: appended.append(len(messages))
    assert run(world, delivery, poison, world.grant) == []
    assert appended == [3]


@pytest.mark.parametrize("error", [KeyError("AccessDenied"), Unavailable("down")])
def test_whatever_is_raised_while_a_dependency_is_down_waits(world, delivery, error):
    """Credentials that ran out are no bug of each record."""
    world.ask("m-1")
    world.is_up = False
    told = []

    def step(items):
        raise error

    records = world.records(TOPIC)
    assert run(world, delivery, records, step, lambda items, why: told.append(why)) == records
    assert isinstance(told[0], Unavailable)
    assert world.log.of(DEAD) == []


def test_several_that_fail_alike_and_none_that_does_not_wait_for_a_moment(world, monkeypatch):
    """An outage that a look at the dependencies does not show, such as a full disk."""
    for number in range(5):
        world.ask(f"m-{number}")
    records, step = world.records(TOPIC), failing(world, *(f"m-{n}" for n in range(5)))
    monkeypatch.setattr(module, "DOUBT_SECONDS", 3600)
    delivery = Delivery(world.log, GROUP, world.clock, lambda: True)
    for _ in range(3):
        assert run(world, delivery, records, step) == records
    assert run(world, delivery, records[:1], step) == [], "one alone says nothing of the others"
    assert len(world.records(RUNGS[0])) == 1
    delivery.doubt.until = 0.0
    assert run(world, delivery, records[1:], step) == []
    assert len(world.records(RUNGS[0])) == 5


def test_a_doubt_ends_in_time_and_begins_anew():
    now, doubt = [0.0], Doubt()
    assert doubt.is_left(lambda: now[0])
    now[0] = module.DOUBT_SECONDS
    assert not doubt.is_left(lambda: now[0])
    doubt.end()
    assert doubt.is_left(lambda: now[0])


def test_a_record_that_takes_its_whole_time_limit_is_tried_no_third_time(
    world, delivery, monkeypatch
):
    for number in range(16):
        world.ask(f"m-{number}")
    monkeypatch.setattr(attempt, "SLOW_SECONDS", 0.001)
    fails, tries = failing(world, "m-7"), []

    def step(items):
        if any(item.message.message_id == "m-7" for item in items):
            tries.append(len(items))
            time.sleep(0.01)
        fails(items)

    assert run(world, delivery, world.records(TOPIC), step) == []
    assert tries == [16, 1]
    assert len(world.heard("upload.ready")) == 15


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempt", "many"),
        ("due-ms", "²"),
        ("due-ms", "9" * 5000),
        ("due-ms", "-5"),
        ("origin-offset", "٣"),
    ],
)
def test_headers_that_make_no_sense_are_a_beginning(name, value):
    headers = ((f"hoist-{name}", value.encode()), ("hoist-origin-topic", b"x"))
    odd = Received("t", 1, 2, None, b"", headers)
    assert Journey.of(odd) == Journey("t", 1, 2)


@pytest.mark.parametrize("topic", [TOPIC, RUNGS[0]])
def test_a_record_that_says_it_is_due_in_years_is_done_now(world, delivery, topic):
    world.ask("m-1")
    [record] = world.records(TOPIC)
    headers = (*record.headers, ("hoist-origin-topic", b"x"), ("hoist-due-ms", b"9" * 18))
    assert run(world, delivery, [replace(record, topic=topic, headers=headers)], world.grant) == []
    assert len(world.heard("upload.ready")) == 1


def test_a_record_of_a_topic_that_is_no_ladder_is_never_early(world, delivery):
    world.ask("m-1")
    [record] = world.records(TOPIC)
    due = str(world.clock() + 5000).encode()
    headers = (*record.headers, ("hoist-origin-topic", b"x"), ("hoist-due-ms", due))
    assert run(world, delivery, [replace(record, headers=headers)], world.grant) == []
