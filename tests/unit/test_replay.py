"""Dead letters on their way again: once, as they were, and not for ever."""

import json

import pytest

from hoist.domain.decisions import CLAIM_MS
from hoist.domain.errors import Malformed, Unavailable
from hoist.domain.messages import envelope_from_json
from hoist.domain.ports import Message, Received
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.letters import Wanted
from hoist.pipeline.replay import ReplayOrder
from tests.unit.desk import DEAD, GROUP, TOPIC, Desk
from tests.unit.world import TRACE


@pytest.fixture
def desk():
    return Desk()


def failed(desk, *message_ids):
    """Good requests that a bug set aside; their letters' ids."""
    before = len(desk.log.of(DEAD))
    for message_id in message_ids:
        desk.ask(message_id)
    records = desk.records(TOPIC)
    delivery = Delivery(desk.log, GROUP, desk.clock, lambda: True)
    delivery.run(records[desk.done :], envelope_from_json, lambda items: 1 / 0)
    desk.done = len(records)
    return [f"{GROUP}:{before + number}" for number in range(len(message_ids))]


def test_a_replay_sends_the_original_bytes_key_and_headers_to_the_origin(desk):
    [letter_id] = failed(desk, "m-1")
    [original] = desk.log.of(TOPIC)
    [outcome] = desk.replays(letter_id)
    again = desk.log.of(TOPIC)[1]
    assert (again.value, again.key_bytes) == (original.value, original.key_bytes)
    assert again.headers == [*original.headers, ("hoist-replayed", b"1")]
    assert outcome.result == "replayed"
    assert (outcome.to.topic, outcome.to.offset) == (TOPIC, 1)


def test_the_waiting_user_hears_the_outcome_of_a_replay(desk):
    [letter_id] = failed(desk, "m-1")
    desk.replays(letter_id)
    desk.handles()
    [ready] = desk.heard("upload.ready")
    assert (ready["messageId"], desk.events.published[-1].connection_id) == ("m-1", "c-1")
    assert TRACE in ready["traceparent"]


def test_an_edited_letter_goes_out_as_edited_with_every_unknown_member(desk):
    letter_id = desk.asks_in_vain("m-1", unknown={"kept": [1.0, "ä"]})
    mended = desk.mend(letter_id).payload
    assert desk.results(letter_id) == ["replayed"]
    assert desk.log.of(TOPIC)[-1].value == mended
    assert json.loads(mended)["unknown"] == {"kept": [1.0, "ä"]}
    desk.handles()
    assert [event["messageId"] for event in desk.heard("upload.ready")] == ["m-1"]


def test_a_second_replay_adds_nothing(desk):
    letters = failed(desk, "m-1", "m-2", "m-3")
    assert desk.results(*letters) == ["replayed"] * 3
    before = len(desk.log.messages)
    assert desk.results(*letters) == ["decided"] * 3
    assert len(desk.log.messages) == before
    assert list(desk.letters.matching(Wanted())) == []


def test_again_replays_what_was_replayed_and_still_makes_one_file(desk):
    [letter_id] = failed(desk, "m-1")
    desk.replays(letter_id)
    assert desk.results(letter_id, is_again=True) == ["replayed"]
    desk.handles()
    desk.applies()
    assert len(desk.store.records) == 1
    assert len(desk.letters.get(letter_id).standing.decisions) == 4


def test_what_was_dropped_is_replayed_only_again(desk):
    [letter_id] = failed(desk, "m-1")
    desk.letters.drop(letter_id, "by mistake", "root")
    assert desk.results(letter_id) == ["decided"]
    assert desk.results(letter_id, is_again=True) == ["replayed"]
    assert desk.letters.get(letter_id).state(desk.clock()) == "replayed"


def test_a_dry_run_tells_and_changes_nothing(desk):
    good, bad = *failed(desk, "m-1"), desk.asks_in_vain("m-2")
    before = len(desk.log.messages)
    assert desk.results(good, bad, is_dry_run=True) == ["would_replay", "refused"]
    assert len(desk.log.messages) == before


def test_what_its_group_cannot_read_is_refused_unless_forced(desk):
    letter_id = desk.asks_in_vain()
    [outcome] = desk.replays(letter_id)
    assert outcome.result == "refused"
    assert "upgrade first: version" in outcome.reason
    assert desk.results(letter_id, is_forced=True) == ["replayed"]


def test_a_letter_that_is_too_large_to_replay_stops_nobody_else(desk):
    letters = [desk.asks_in_vain(f"m-{number}") for number in range(3)]
    append = desk.log.append

    def limited(messages):
        if any(b'"m-1"' in message.value for message in messages):
            raise Malformed("a message of 1040000 bytes is too large for the log")
        return append(messages)

    desk.log.append = limited
    outcomes = desk.replays(*letters, is_forced=True)
    assert [outcome.result for outcome in outcomes] == ["replayed", "refused", "replayed"]
    assert "too large" in outcomes[1].reason
    desk.log.append = append
    assert desk.letters.get(letters[1]).state(desk.clock()) == "open"


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
@pytest.mark.parametrize("value", [None, b"", b"\xff"])
def test_a_strangers_bytes_come_back_as_they_were(desk, key, value):
    origin = Received(TOPIC, 0, 7, key, value, ())
    delivery = Delivery(desk.log, GROUP, desk.clock, lambda: True)
    assert delivery.run([origin], envelope_from_json, desk.grant) == []
    [letter] = desk.records(DEAD)
    assert (letter.key, letter.value) == (key, value)
    assert desk.results(f"{GROUP}:0", is_forced=True) == ["replayed"]
    assert (desk.log.of(TOPIC)[-1].key_bytes, desk.log.of(TOPIC)[-1].value) == (key, value)


def test_a_letter_that_is_too_large_to_replay_stops_nobody_else(desk):
    letters = [desk.asks_in_vain(f"m-{number}") for number in range(3)]
    append = desk.log.append

    def limited(messages):
        if any(b'"m-1"' in message.value for message in messages):
            raise Malformed("a message of 1040000 bytes is too large for the log")
        return append(messages)

    desk.log.append = limited
    outcomes = desk.replays(*letters, is_forced=True)
    assert [outcome.result for outcome in outcomes] == ["replayed", "refused", "replayed"]
    assert "too large" in outcomes[1].reason
    desk.log.append = append
    assert desk.letters.get(letters[1]).state(desk.clock()) == "open"


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
@pytest.mark.parametrize("value", [None, b"", b"\xff"])
def test_a_strangers_bytes_come_back_as_they_were(desk, key, value):
    origin = Received(TOPIC, 0, 7, key, value, ())
    delivery = Delivery(desk.log, GROUP, desk.clock, lambda: True)
    assert delivery.run([origin], envelope_from_json, desk.grant) == []
    [letter] = desk.records(DEAD)
    assert (letter.key, letter.value) == (key, value)
    assert desk.results(f"{GROUP}:0", is_forced=True) == ["replayed"]
    assert (desk.log.of(TOPIC)[-1].key_bytes, desk.log.of(TOPIC)[-1].value) == (key, value)


def test_a_letter_that_fails_again_counts_its_replays_until_the_guard_stops_it(desk):
    letter_id = desk.asks_in_vain()
    for count in range(3):
        letter = desk.letters.get(letter_id)
        assert letter.replays == count
        desk.replays(letter_id, is_forced=True)
        desk.handles()
        letter_id = f"{GROUP}:{len(desk.log.of(DEAD)) - 1}"
    desk.mend(letter_id)
    [outcome] = desk.replays(letter_id)
    assert (outcome.result, outcome.reason) == ("refused", "replayed 3 times, and failed again")
    assert desk.results(letter_id, replays_max=4, is_dry_run=True) == ["would_replay"]
    assert desk.results(letter_id, is_forced=True) == ["replayed"]
    headers = [name for name, _ in desk.log.of(TOPIC)[-1].headers]
    assert headers.count("hoist-replayed") == 1


def test_the_count_survives_the_ladder(desk):
    [letter_id] = failed(desk, "m-1")
    desk.replays(letter_id)

    def busy(items):
        raise Unavailable("somebody else is in the way")

    delivery = Delivery(desk.log, GROUP, desk.clock, lambda: True)
    delivery.run(desk.records(TOPIC)[1:], envelope_from_json, busy)
    [waiting] = desk.records("hoist.upload-basic.retry-5s")
    assert dict(waiting.headers)["hoist-replayed"] == b"1"


def test_a_letter_without_a_journey_still_goes_to_its_groups_topic(desk):
    desk.ask("m-1")
    value = desk.log.messages.pop().value
    desk.log.append([Message(DEAD, "ada", value, [("hoist-replayed", b"many")])])
    [outcome] = desk.replays(f"{GROUP}:0")
    assert outcome.to.topic == TOPIC


def test_a_mended_letter_goes_to_the_partition_of_its_user(desk):
    desk.ask("m-1")
    value = desk.log.messages.pop().value
    desk.poison(b"not json", key="poison")
    desk.letters.edit(f"{GROUP}:0", value, "root")
    desk.replays(f"{GROUP}:0")
    assert desk.log.of(TOPIC)[-1].key == "ada"


def test_two_operators_at_once_replay_each_letter_once(desk):
    letters = failed(desk, *(f"m-{number}" for number in range(10)))
    mine, yours = desk.letters.book(), desk.letters.book()
    seen = [desk.letters.get(letter_id, yours) for letter_id in letters]
    assert desk.results(*letters[:6], book=mine) == ["replayed"] * 6
    outcomes = list(desk.replay(seen, ReplayOrder("ada"), yours))
    assert sorted(outcome.result for outcome in outcomes) == ["decided"] * 6 + ["replayed"] * 4
    assert len(desk.log.of(TOPIC)) == 20


def test_a_run_closed_while_it_tells_of_others_gives_its_claims_back(desk):
    letters = failed(desk, "m-1", "m-2")
    mine, yours = desk.letters.book(), desk.letters.book()
    seen = [desk.letters.get(letter_id, yours) for letter_id in letters]
    desk.results(letters[0], book=mine)
    run = desk.replay(seen, ReplayOrder("ada"), yours)
    assert next(run).result == "decided"
    run.close()
    assert desk.results(letters[1]) == ["replayed"]


def test_a_run_that_died_between_claim_and_replay_is_made_up_for_after_a_minute(desk):
    [letter_id] = failed(desk, "m-1")
    append = desk.log.append

    def dies(messages):
        if messages[0].topic == TOPIC:
            raise Unavailable("the log does not answer")
        return append(messages)

    desk.log.append = dies
    with pytest.raises(Unavailable):
        desk.replays(letter_id)
    desk.log.append = append
    assert desk.results(letter_id) == ["decided"]
    desk.clock.advance(seconds=CLAIM_MS / 1000)
    assert desk.results(letter_id) == ["replayed"]


def test_a_run_that_died_before_its_decision_replays_again_and_makes_one_file(desk):
    [letter_id] = failed(desk, "m-1")
    append = desk.log.append

    def dies(messages):
        if b'"action":"replayed"' in messages[0].value:
            raise Unavailable("the log does not answer")
        return append(messages)

    desk.log.append = dies
    with pytest.raises(Unavailable):
        desk.replays(letter_id)
    desk.log.append = append
    desk.clock.advance(seconds=CLAIM_MS / 1000)
    assert desk.results(letter_id) == ["replayed"]
    desk.handles()
    desk.applies()
    assert len(desk.log.of(TOPIC)) == 3
    assert len(desk.store.records) == 1


def test_a_rate_makes_pauses_and_claims_no_more_than_it_can_do_in_time(desk):
    letters = failed(desk, *(f"m-{number}" for number in range(5)))
    assert desk.results(*letters, per_second=0.1) == ["replayed"] * 5
    assert desk.slept == [10.0] * 4, "none after the last"
    claims = [m for m in desk.log.of("hoist.dlq.decisions") if b'"claimed"' in m.value]
    assert len(claims) == 5


def test_an_interrupted_run_goes_on_where_it_stopped(desk):
    letters = failed(desk, *(f"m-{number}" for number in range(4)))
    book = desk.letters.book()
    run = desk.replay(
        desk.letters.matching(Wanted(), book), ReplayOrder("root", per_second=1), book
    )
    assert [next(run).letter.id for _ in range(2)] == letters[:2]
    run.close()
    book = desk.letters.book()
    rest = desk.replay(desk.letters.matching(Wanted(), book), ReplayOrder("root"), book)
    assert [outcome.letter.id for outcome in rest] == letters[2:]
    assert len(desk.log.of(TOPIC)) == 8
