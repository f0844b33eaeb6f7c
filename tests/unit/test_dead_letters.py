"""The dead letter desk: found by what one knows, read whatever it is, mended and given up once."""

import json

import pytest

from hoist.domain.decisions import PAYLOAD_BYTES_MAX, Decision, LetterDecided
from hoist.domain.errors import InvalidRequest, Malformed, NotFound, Unavailable
from hoist.domain.messages import METADATA_GROUP
from hoist.domain.ports import Message
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.letter_views import whole_letter_view
from hoist.pipeline.letters import Wanted
from tests.unit.desk import DEAD, GROUP, TOPIC, Desk
from tests.unit.world import GRACE, TRACE

POISON = [
    (b"not json", "not JSON"),
    (b"\xff\xfe\x00", "not valid UTF-8"),
    (b"", "not JSON"),
    (b"{}", "Field required"),
    (b"null", "valid dictionary"),
    (b'{"a": NaN}', "NaN is not a number"),
    (b"[" * 60_000, "nested too deeply"),
    (b'{"a": ' + b"9" * 5_000 + b"}", "too many digits"),
    (b'{"a": "\\ud800"}', "not valid UTF-8"),
    (b'{"a": 1, "a": 2}', "twice"),
]
ALL = frozenset({"open", "replaying", "replayed", "dropped"})


@pytest.fixture
def desk():
    return Desk()


def ids(desk, **wanted):
    return [letter.id for letter in desk.letters.matching(Wanted(**wanted))]


@pytest.mark.parametrize(("value", "why"), POISON, ids=range(len(POISON)))
def test_any_poison_is_shown_with_its_bytes_its_cause_and_why_it_cannot_be_read(desk, value, why):
    desk.poison(value)
    letter = desk.letters.get(f"{GROUP}:0")
    view = whole_letter_view(letter, desk.clock())
    json.dumps(view, allow_nan=False).encode()
    assert letter.payload == value
    assert why in view["unreadable"]
    assert (view["errorClass"], view["error"]) == ("Malformed", view["unreadable"][:500])
    assert view["origin"] == {"topic": TOPIC, "partition": 0, "offset": 0}
    assert view["userId"] == "ada"


def test_what_can_be_decoded_is_and_what_is_no_text_is_escaped(desk):
    desk.poison(b'{"userId": "grace", "n": 1}')
    desk.poison(b"\xffabc")
    first, second = (
        whole_letter_view(letter, desk.clock()) for letter in desk.letters.matching(Wanted())
    )
    assert first["payload"] == {"userId": "grace", "n": 1}
    assert first["userId"] == "grace"
    assert "payload" not in second
    assert second["payloadText"] == "\\xffabc"


def test_a_letter_keeps_the_trace_of_its_request(desk):
    letter = desk.letters.get(desk.asks_in_vain())
    assert letter.trace_id == TRACE
    assert letter.journey.attempt == 1


def test_each_filter_shows_what_it_says(desk):
    desk.asks_in_vain("m-1")
    desk.clock.advance(seconds=60)
    later = desk.clock()
    desk.poison(b"not json", key="grace")
    desk.ask("m-2", principal=GRACE)
    event = [*desk.records("hoist.ingest.premium")]
    broken = Delivery(desk.log, METADATA_GROUP, desk.clock, lambda: True)
    broken.run(event, lambda raw: raw, lambda items: 1 / 0)
    a, b, c = f"{GROUP}:0", f"{GROUP}:1", f"{METADATA_GROUP}:0"
    assert ids(desk) == [a, b, c]
    assert ids(desk, groups=(METADATA_GROUP,)) == [c]
    assert ids(desk, error="newerVERSION: version") == [a]
    assert ids(desk, error="zerodivision") == [c]
    assert ids(desk, user_id="grace") == [b, c]
    assert ids(desk, from_ms=later) == [b, c]
    assert ids(desk, to_ms=later) == [a]
    assert ids(desk, from_offset=1) == [b]
    assert ids(desk, states=frozenset({"dropped"})) == []


@pytest.mark.parametrize(
    "letter_id", ["upload-basic:7", "upload-basic", "bucket-events:0", "x:0", "upload-basic:-1", ""]
)
def test_what_is_no_letter_is_not_found(desk, letter_id):
    desk.asks_in_vain()
    with pytest.raises(NotFound, match="no dead letter"):
        desk.letters.get(letter_id)


def test_an_edit_is_kept_byte_for_byte_and_says_who_and_when(desk):
    letter_id = desk.asks_in_vain()
    original = desk.letters.get(letter_id).record.value
    payload = original.replace(b'"version": 2', b'"version": 1,  "new": [1.0, 1e2, "\\u00e4"]')
    desk.letters.edit(letter_id, payload, "root")
    letter = desk.letters.get(letter_id)
    assert (letter.payload, letter.record.value) == (payload, original)
    [decision] = letter.standing.decisions
    assert (decision.action, decision.by, decision.at) == ("edited", "root", desk.clock())
    assert (letter.state(desk.clock()), letter.unreadable()) == ("open", None)


def test_a_later_edit_replaces_the_first_and_the_same_again_is_none(desk):
    letter_id = desk.asks_in_vain()
    desk.mend(letter_id)
    desk.mend(letter_id, tier="premium")
    desk.mend(letter_id)
    letter = desk.letters.get(letter_id)
    assert json.loads(letter.payload)["tier"] == "premium"
    assert len(letter.standing.decisions) == 2


@pytest.mark.parametrize("payload", [b"{}", b"no", b"\xff", b'{"version": NaN}'])
def test_an_edit_that_its_group_could_not_read_is_refused(desk, payload):
    letter_id = desk.asks_in_vain()
    with pytest.raises(Malformed):
        desk.letters.edit(letter_id, payload, "root")
    assert desk.letters.get(letter_id).standing.decisions == ()


def test_an_edit_never_moves_a_request_to_another_user(desk):
    letter_id = desk.asks_in_vain()
    with pytest.raises(InvalidRequest, match="userId stays ada"):
        desk.mend(letter_id, userId="grace")


def test_an_edit_that_no_broker_would_take_is_refused(desk):
    letter_id = desk.asks_in_vain()
    with pytest.raises(InvalidRequest, match="at most 700000 bytes"):
        desk.mend(letter_id, more="x" * PAYLOAD_BYTES_MAX)


def test_of_two_who_edit_at_the_same_moment_the_first_one_counts(desk):
    letter_id = desk.asks_in_vain()
    append = desk.log.append
    payload = desk.letters.get(letter_id).payload.replace(b'"version": 2', b'"version": 1')

    def overtaken(messages):
        desk.log.append = append
        desk.letters.edit(letter_id, payload, "ada")
        return append(messages)

    desk.log.append = overtaken
    with pytest.raises(LetterDecided, match="at the same moment"):
        desk.letters.edit(letter_id, payload + b" ", "grace")
    letter = desk.letters.get(letter_id)
    assert [one.by for one in letter.standing.decisions] == ["ada"]
    assert letter.payload == payload


def test_a_dropped_letter_is_open_no_more_and_says_why(desk):
    letter_id = desk.asks_in_vain()
    desk.letters.drop(letter_id, " a test ", "root")
    [letter] = desk.letters.matching(Wanted(states=ALL))
    assert (letter.state(desk.clock()), letter.standing.decisions[0].reason) == (
        "dropped",
        "a test",
    )
    assert ids(desk) == []
    with pytest.raises(LetterDecided, match="dropped already"):
        desk.mend(letter_id)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_drop_needs_a_reason(desk, reason):
    letter_id = desk.asks_in_vain()
    with pytest.raises(InvalidRequest, match="say why"):
        desk.letters.drop(letter_id, reason, "root")


def test_who_waits_for_a_dropped_request_hears_that_it_was_given_up(desk):
    letter_id = desk.asks_in_vain("m-1")
    desk.letters.drop(letter_id, "no use", "root")
    [heard] = desk.heard("upload.rejected")
    assert (heard["messageId"], heard["error"]["code"]) == ("m-1", "request_dropped")
    assert desk.events.published[-1].connection_id == "c-1"
    assert desk.upload(heard["fileId"])["state"] == "rejected"
    # A second drop decides nothing anew, and asking again is a new request.
    desk.letters.drop(letter_id, "no use", "root")
    assert len(desk.letters.get(letter_id).standing.decisions) == 1
    assert len(desk.heard("upload.rejected")) == 1
    desk.ask("m-1")
    desk.handles()
    assert len(desk.heard("upload.ready")) == 1


def test_who_came_through_another_way_hears_nothing_of_a_drop(desk):
    letter_id = desk.asks_in_vain("m-1")
    desk.ask("m-1")
    desk.handles()
    assert len(desk.heard("upload.ready")) == 1
    desk.letters.drop(letter_id, "no use", "root")
    assert desk.heard("upload.rejected") == []


@pytest.mark.parametrize(
    "value",
    [b"not json", b"{}", b"[]", b'{"userId": "", "messageId": "m-1"}', b'{"userId": "ada"}'],
)
def test_nobody_hears_of_a_drop_that_names_nobody(desk, value):
    desk.poison(value)
    desk.letters.drop(f"{GROUP}:0", "noise", "root")
    assert desk.events.published == []


def test_a_decision_nobody_can_read_is_passed_over(desk):
    letter_id = desk.asks_in_vain()
    desk.poison(b"{", topic="hoist.dlq.decisions")
    desk.mend(letter_id)
    assert desk.letters.get(letter_id).standing.edited


def test_a_log_that_is_down_is_said_and_nothing_is_decided(desk):
    letter_id = desk.asks_in_vain()
    append = desk.log.append

    def down(messages):
        raise Unavailable("the log does not answer")

    desk.log.append = down
    with pytest.raises(Unavailable):
        desk.letters.drop(letter_id, "x", "root")
    desk.log.append = append
    assert desk.heard("upload.rejected") == []
    assert ids(desk) == [letter_id]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hoist-replayed", b"9" * 5000),
        ("hoist-replayed", "²".encode()),
        ("hoist-last-failure", b"0001-01-01T00:00:00"),
        ("hoist-last-failure", b"9999-12-31T23:59:59-23:00"),
        ("hoist-attempt", "²".encode()),
        ("hoist-origin-offset", b"9" * 5000),
    ],
)
def test_one_letter_with_odd_headers_hides_no_other(desk, name, value):
    """Anybody inside can put a record among the dead letters."""
    first = desk.asks_in_vain()
    headers = [("hoist-origin-topic", b"x"), (name, value)]
    desk.log.append([Message(DEAD, "ada", b"junk", headers)])
    last = desk.asks_in_vain("m-2")
    assert ids(desk) == [first, f"{GROUP}:1", last]
    view = whole_letter_view(desk.letters.get(f"{GROUP}:1"), desk.clock())
    assert (view["state"], view["replays"]) == ("open", 0)


def test_a_claim_of_the_future_locks_nobody_out(desk):
    letter_id = desk.asks_in_vain()
    claim = Decision(
        letter=letter_id, number=1, action="claimed", by="ahead", at=desk.clock() + 3_600_000
    )
    desk.letters.book().write([claim])
    assert desk.letters.get(letter_id).state(desk.clock()) == "open"
    desk.letters.drop(letter_id, "noise", "root")
