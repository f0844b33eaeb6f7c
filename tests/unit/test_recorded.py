"""What older releases wrote can be read for ever, and they can read what this one writes."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from hoist.domain.errors import Malformed
from hoist.domain.metadata import FileStored, metadata_event_from_json
from hoist.domain.model import Status
from hoist.domain.row_json import row_from_json, row_to_json, steps_from_json, steps_to_json
from hoist.domain.versions import NewerVersion, upcast
from tests import recorded
from tests.recorded import KINDS, READERS

RECORDED = [
    pytest.param(name, raw, id=f"{name}.v{version}-{number}")
    for name, version in recorded.versions()
    for number, raw in enumerate(recorded.messages(name, version))
]
NEWEST = [case for case in RECORDED if f".v{recorded.newest(case.values[0])}-" in case.id]
ROWS = [json.loads(line) for line in recorded.lines(recorded.EVENTS / "rows.jsonl")]


@pytest.mark.parametrize(("name", "raw"), RECORDED)
def test_every_message_that_was_ever_written_is_read(name, raw):
    read = READERS[name](raw)
    assert read.version == recorded.newest(name)
    assert type(read) is KINDS[name]


@pytest.mark.parametrize(("name", "raw"), NEWEST)
def test_what_is_read_is_written_again_member_by_member(name, raw):
    before, after = json.loads(raw), json.loads(READERS[name](raw).to_json())
    assert holds(after, before)


def holds(whole, part):
    """Whether *whole* has all that *part* has, also deep inside."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(holds(whole.get(k), v) for k, v in part.items())
    return whole == part


@pytest.mark.parametrize("name", KINDS)
def test_every_member_was_recorded_and_those_that_may_be_absent_were_absent_once(name):
    found = [json.loads(raw) for raw in recorded.messages(name, recorded.newest(name))]
    for alias, must in members(KINDS[name]).items():
        assert any(alias in one for one in found), f"record a message with {alias}"
        assert must or any(alias not in one for one in found), f"record one without {alias}"


def members(model):
    """Each member's name on the wire, and whether it is always there."""
    always = ("version", "type")
    return {
        field.alias or name: field.is_required() or name in always
        for name, field in model.model_fields.items()
    }


@pytest.mark.parametrize("name", KINDS)
def test_readers_and_writers_of_one_version_never_disagree(name):
    frozen, now = json.loads(recorded.schema_path(name).read_text()), recorded.shape(name)
    assert recorded.broken(frozen, now) == [], "needs a new version: see docs/messages.md"
    assert frozen == now, "a member more: python -m tests.recorded"


def test_a_shape_that_breaks_somebody_is_noticed():
    was = recorded.shape("file.stored")

    def changed(**members):
        return was | {"properties": {**was["properties"], **members}}

    assert recorded.broken(was, changed(later={"type": "string", "default": None})) == []
    assert recorded.broken(was, was | {"required": [*was["required"], "later"]})
    assert recorded.broken(was, was | {"required": was["required"][1:]})
    assert recorded.broken(was, changed(size={"type": "string"}))
    renamed = changed(bytes=was["properties"]["size"])
    del renamed["properties"]["size"]
    assert recorded.broken(was, renamed) == ["/properties/size: was {'type': 'integer'}, is gone"]


@pytest.mark.parametrize(("name", "raw"), RECORDED)
def test_unknown_members_are_kept_and_written_again(name, raw):
    data = json.loads(raw) | {"later": {"deep": [1, None, "ä"]}}
    for member, value in data.items():
        if member in ("file", "parts", "accepted", "to") and isinstance(value, dict):
            data[member] = value | {"alsoLater": 1}
    read = READERS[name](json.dumps(data).encode())
    assert holds(json.loads(read.to_json()), data)


@pytest.mark.parametrize("name", KINDS)
def test_a_newer_version_is_named_as_such_and_nonsense_is_not(name):
    data = json.loads(recorded.messages(name, 1)[0])
    newer = recorded.newest(name) + 1
    with pytest.raises(NewerVersion, match=f"version: {newer} is of a newer release"):
        READERS[name](json.dumps(data | {"version": newer}).encode())
    for nonsense in (0, -1, "1", 1.5, True, None, [1]):
        with pytest.raises(Malformed, match="version") as refused:
            READERS[name](json.dumps(data | {"version": nonsense}).encode())
        assert not isinstance(refused.value, NewerVersion)


def test_an_event_of_a_type_that_only_a_newer_release_knows_is_named_as_such():
    with pytest.raises(NewerVersion, match=r"knows no 'file\.flown'"):
        metadata_event_from_json(b'{"type": "file.flown", "userId": "ada", "fileId": "f"}')


class FileStoredThrice(FileStored):
    """Of a later release: version 2 called ``etag`` ``tag``, version 3 has ``by``."""

    steps = (
        lambda data: {k: v for k, v in data.items() if k != "etag"} | {"tag": data.get("etag")},
        lambda data: {"by": "storage"} | data,
    )
    version: int = 3
    etag: str = ""
    tag: str
    by: str


def test_each_step_leads_one_version_on():
    [raw, _] = recorded.messages("file.stored", 1)
    first = json.loads(raw) | {"later": 1}
    third = FileStoredThrice.read(first)
    assert (third.version, third.tag, third.by) == (3, "e-1", "storage")
    assert third.model_extra == {"later": 1}
    second = {k: v for k, v in first.items() if k != "etag"} | {"version": 2, "tag": "e-1"}
    assert FileStoredThrice.read(second) == third
    assert FileStoredThrice.read(second | {"version": 3, "by": "hand"}).by == "hand"
    with pytest.raises(NewerVersion):
        FileStoredThrice.read(second | {"version": 4})


@pytest.mark.parametrize("data", [None, 1, "text", [], [{}]])
def test_what_cannot_be_a_message_is_left_to_its_model(data):
    assert upcast(data, ()) == data
    with pytest.raises(ValidationError):
        FileStoredThrice.read(data)


@pytest.mark.parametrize("kept", ROWS, ids=lambda kept: kept["kind"])
def test_a_row_of_an_older_release_is_read_and_written_as_it_was(kept):
    row = row_from_json(kept["kind"], kept["row"], steps_from_json(kept.get("steps", [])))
    assert row.unknown == {}
    kind, written = row_to_json(row)
    assert kind == kept["kind"]
    assert holds(json.loads(json.dumps(written)), kept["row"])
    assert steps_to_json(getattr(row, "steps", ())) == kept.get("steps", [])


@pytest.mark.parametrize("kept", ROWS, ids=lambda kept: kept["kind"])
def test_what_a_newer_release_put_into_a_row_is_there_after_the_row_was_changed(kept):
    later = {"later": {"deep": [1, None]}, "labels": ["a"]}
    row = row_from_json(kept["kind"], kept["row"] | later)
    assert row.unknown == later
    changed = replace(row, version=row.version + 1)
    assert holds(row_to_json(changed)[1], later)
    assert row_to_json(changed)[1]["version"] == row.version + 1


def test_every_kind_of_row_and_status_is_known_to_older_releases():
    """A new one is a new version of the rows: see docs/messages.md."""
    assert {kept["kind"] for kept in ROWS} == {"file", "account", "share", "downloads"}
    known = "arrived pending stored rejected expired cancelled deleted purged missing"
    assert {status.value for status in Status} == set(known.split())
