"""A newer release beside this one: what only it knows goes through our hands unharmed."""

import json
from dataclasses import replace

import pytest

from hoist.domain.errors import Outdated, Unavailable
from hoist.domain.messages import Envelope, envelope_from_json
from hoist.domain.ports import Message, Received
from hoist.domain.sharing import Download, Downloads
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.letters import Wanted
from tests.unit.desk import GROUP, TOPIC, Desk

NEWER_HEADERS = [("hoist-later", b"\x00\xff"), ("later", b"1"), ("later", b"2")]


@pytest.fixture
def desk():
    return Desk()


def asked_by_newer(desk, **changes):
    """A request as a newer gateway might put it on its lane; its bytes."""
    desk.ask("m-1")
    asked = desk.log.messages.pop()
    data = json.loads(asked.value)
    data |= {"later": {"n": 1.0}, "file": data["file"] | {"mood": "ä"}} | changes
    value = json.dumps(data, indent=1).encode()
    desk.log.append([Message(TOPIC, asked.key, value, [*asked.headers, *NEWER_HEADERS])])
    return value


def test_what_is_unknown_of_a_file_reaches_the_log_that_is_kept_for_ever(desk):
    asked_by_newer(desk)
    desk.handles()
    [requested] = desk.log.of("hoist.metadata")
    assert json.loads(requested.value)["file"]["mood"] == "ä"
    desk.applies()
    assert len(desk.store.records) == 1


def test_bytes_and_unknown_headers_survive_the_whole_ladder_and_a_replay(desk):
    value = asked_by_newer(desk)
    [asked] = desk.log.of(TOPIC)
    record = desk.records(TOPIC)[0]
    for group_topic in ("retry-5s", "retry-30s", "retry-120s", "retry-600s", "dlq"):
        delivery = Delivery(desk.log, GROUP, desk.clock, lambda: True)
        assert not delivery.run([record], envelope_from_json, fails)
        moved = desk.log.of(f"hoist.{GROUP}.{group_topic}")[-1]
        record = Received(moved.topic, 0, 0, b"ada", moved.value, tuple(moved.headers))
        assert moved.value == value
        assert [header for header in moved.headers if header in asked.headers] == asked.headers
        desk.clock.advance(seconds=600)
    assert desk.results(f"{GROUP}:0") == ["replayed"]
    again = desk.log.of(TOPIC)[-1]
    assert (again.value, again.key_bytes) == (value, asked.key_bytes)
    assert again.headers == [*asked.headers, ("hoist-replayed", b"1")]


def fails(items):
    raise Unavailable("somebody else is in the way")


def test_a_newer_version_is_set_aside_and_mended_by_a_replay_after_the_upgrade(desk, monkeypatch):
    value = asked_by_newer(desk, version=2)
    desk.handles()
    [letter] = desk.letters.matching(Wanted(error="NewerVersion"))
    [refused] = desk.replays(letter.id)
    assert (refused.result, "upgrade" in refused.reason) == ("refused", True)
    # The release of version 2: it reads both.
    read = classmethod(lambda cls, data: cls.model_validate(data | {"version": 1}))
    monkeypatch.setattr(Envelope, "read", read)
    assert desk.results(letter.id) == ["replayed"]
    assert desk.log.of(TOPIC)[-1].value == value
    desk.handles()
    assert [ready["messageId"] for ready in desk.heard("upload.ready")] == ["m-1"]


def test_a_desk_that_is_older_than_the_decisions_decides_nothing(desk):
    letter_id = desk.asks_in_vain()
    newer = b'{"version": 2, "letter": "upload-basic:0", "action": "postponed"}'
    desk.log.append([Message("hoist.dlq.decisions", letter_id, newer)])
    before = len(desk.log.messages)
    with pytest.raises(Outdated, match="a newer release"):
        desk.letters.drop(letter_id, "a test", "root")
    assert len(desk.log.messages) == before


def test_what_is_unknown_of_a_row_survives_every_event_that_is_folded_into_it(desk):
    this_file = desk.ask("m-1")
    desk.settles()
    later = {"later": [1]}
    for key, row in desk.store.kept.items():
        desk.store.kept[key] = replace(row, unknown=later)
    desk.clock.advance(seconds=960)
    desk.janitor()
    desk.applies()
    assert desk.row(this_file).status == "expired"
    desk.ask("m-1")  # begins again
    desk.settles()
    desk.arrives(this_file)
    desk.applies()
    assert desk.row(this_file).status == "stored"
    assert {key: row.unknown for key, row in desk.store.kept.items()} == dict.fromkeys(
        desk.store.kept, later
    )


def test_what_is_unknown_of_a_download_history_survives_one_more():
    history = Downloads("ada", "f", unknown={"later": 1})
    assert history.with_one(Download("d", 1, "owner", None, "t"), (0, 3)).unknown == {"later": 1}
