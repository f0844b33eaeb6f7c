"""One record's failure goes up the ladder, everybody's waits, and poison is set aside at once."""

from dataclasses import replace

import pytest

from hoist.domain.errors import Unavailable
from hoist.domain.messages import RETRY_SECONDS, envelope_from_json, retry_topic
from hoist.domain.ports import Received
from hoist.pipeline.delayed import TellDelayed
from hoist.pipeline.delivery import Delivery
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


def test_headers_that_make_no_sense_are_a_beginning():
    odd = Received("t", 1, 2, None, b"", (("hoist-attempt", b"many"), ("hoist-origin-topic", b"x")))
    assert Journey.of(odd) == Journey("t", 1, 2)
