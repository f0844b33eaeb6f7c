"""Strict JSON, and errors that name the member that is wrong."""

import json

import pytest

from hoist.domain import frames, messages, metadata, strict_json
from hoist.domain.errors import InvalidRequest, Malformed
from hoist.domain.frames import FileDescription, UploadFrame, UploadRequest
from hoist.domain.messages import DescribedFile, Envelope

REQUEST = {"messageId": "m-1", "file": {"name": "a", "size": 1}}
FRAME = {"action": "upload", **REQUEST}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b"[" * 60_000,
        b'{"a": ' * 9 + b"1" + b"}" * 9,
        b"1" * 5_000,
    ],
    ids=lambda raw: repr(raw[:16]),
)
def test_json_that_breaks_things_later_is_refused_calmly(raw):
    with pytest.raises(Malformed, match="not JSON we accept"):
        strict_json.decode(raw)


def test_json_as_deep_as_allowed_is_read():
    assert strict_json.decode(b'{"a":' * 8 + b"1" + b"}" * 8)


def test_a_surrogate_pair_is_an_ordinary_character():
    assert strict_json.decode(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"messageId": ""}, "messageId"),
        ({"messageId": "with space"}, "messageId"),
        ({"messageId": "a/b"}, "messageId"),
        ({"messageId": "x" * 129}, "messageId"),
        ({"messageId": 7}, "messageId"),
        ({"file": None}, "file"),
        ({"file": {"name": "a"}}, "file.size"),
        ({"file": {"name": "a", "size": True}}, "file.size"),
        ({"file": {"name": "a", "size": "1"}}, "file.size"),
        ({"file": {"name": "a", "size": 1, "visibility": "secret"}}, "file.visibility"),
        ({"file": {"name": "a", "size": 1, "checksumSha256": "short"}}, "file.checksumSha256"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_member_is_named(change, field):
    with pytest.raises(InvalidRequest) as caught:
        frames.from_client(UploadRequest, REQUEST | change)
    assert caught.value.field == field


def test_the_defaults_are_private_and_octet_stream():
    frame = frames.from_client(UploadFrame, FRAME)
    assert frame.file.visibility == "private"
    assert frame.file.content_type == "application/octet-stream"


def test_a_frame_holds_one_file_or_up_to_a_hundred():
    many = [{**REQUEST, "messageId": f"m-{number}"} for number in range(100)]
    frame = frames.from_client(UploadFrame, {"action": "upload", "files": many})
    assert [request.message_id for request in frame.requests] == [f"m-{n}" for n in range(100)]
    assert len(frames.from_client(UploadFrame, FRAME).requests) == 1


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "upload"},
        {"action": "upload", "messageId": "m-1"},
        {"action": "upload", "files": []},
        {"action": "upload", "files": [REQUEST] * 2},
        {"action": "upload", "files": [{**REQUEST, "messageId": f"m-{n}"} for n in range(101)]},
        {**FRAME, "files": [{**REQUEST, "messageId": "m-2"}]},
    ],
    ids=["nothing", "no file", "no files", "twice", "too many", "both"],
)
def test_an_upload_frame_that_is_neither_is_refused(frame):
    with pytest.raises(InvalidRequest):
        frames.from_client(UploadFrame, frame)


@pytest.mark.parametrize("raw", [None, b"{}", b"[]", b'{"version":2}', b'{"type":"file.flown"}'])
def test_a_record_that_is_not_ours_is_malformed(raw):
    with pytest.raises(Malformed):
        messages.envelope_from_json(raw)
    with pytest.raises(Malformed):
        metadata.metadata_event_from_json(raw)


def enveloped(**file):
    described = DescribedFile(**{"name": "a", "size": 1, **file})
    return Envelope(message_id="m", user_id="u", tier="basic", file=described, requested_at=1)


@pytest.mark.parametrize(
    "file", [{"size": -5}, {"size": 0}, {"name": "a\0b"}, {"name": "a" * 1025}, {"folder": "../b"}]
)
def test_what_no_gateway_lets_in_is_malformed_whoever_put_it_on_the_topic(file):
    with pytest.raises(Malformed, match=r"size|name|folder"):
        messages.envelope_from_json(enveloped(**file).to_json())


def test_an_envelope_survives_the_log():
    file = FileDescription(name="a", size=1)
    envelope = enveloped(**file.model_dump())
    assert messages.envelope_from_json(envelope.to_json()).file.facts() == file.facts()


def test_times_are_rfc_3339_in_utc():
    assert messages.iso(0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("at", [1_795_732_593_316_000, -(10**15), 10**30])
def test_a_time_that_no_calendar_has_is_malformed_and_breaks_no_list(at):
    """Microseconds, most likely: kept, it could never be shown."""
    envelope = enveloped().model_dump(by_alias=True, mode="json") | {"requestedAt": at}
    with pytest.raises(Malformed, match="requestedAt: must be below"):
        messages.envelope_from_json(json.dumps(envelope).encode())
    event = {"version": 1, "userId": "u", "fileId": "f", "type": "file.deleted", "changeId": "c"}
    event |= {"at": 1, "purgeAfter": at}
    with pytest.raises(Malformed, match="purgeAfter"):
        metadata.metadata_event_from_json(json.dumps(event).encode())


def test_a_size_that_json_cannot_tell_apart_is_malformed():
    event = {"version": 1, "userId": "u", "fileId": "f", "type": "file.stored", "etag": "e"}
    event |= {"storedAt": 1, "size": 2**53}
    with pytest.raises(Malformed, match="size"):
        metadata.metadata_event_from_json(json.dumps(event).encode())
