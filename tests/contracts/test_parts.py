"""Uploads in parts: real bytes over HTTP; storage refuses other lengths and other bytes."""

import base64
import hashlib
import os
import secrets
from dataclasses import replace

import httpx
import pytest

from hoist.adapters import aws, s3_parts
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileFacts, Multipart

MIB = 1024**2
PART = 5 * MIB
BODY = os.urandom(PART) + b"the rest"


def sha256(body):
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
def begun(record, parts):
    """A record whose upload in parts has begun, of the announced kind."""

    def make(*, checksums=False, body=BODY):
        facts = FileFacts("big.bin", len(body), "video/mp4", part_checksums=checksums)
        row = record(secrets.token_hex(8), facts=facts)
        return replace(row, multipart=Multipart(parts.begin(row), PART))

    return make


def piece(number):
    return BODY[(number - 1) * PART : number * PART]


def put(parts, row, number, body=None, checksum=None):
    body = piece(number) if body is None else body
    signed = parts.sign_part(row, number, checksum, expires_seconds=60)
    headers = {**signed.headers, "Content-Length": str(len(body))}
    return httpx.put(signed.url, headers=headers, content=body, timeout=60)


@pytest.mark.parametrize("checksums", [False, True])
def test_parts_in_any_order_become_the_object(parts, objects, begun, checksums):
    row = begun(checksums=checksums)
    assert parts.parts(row) == []
    for number in (2, 1):
        checksum = sha256(piece(number)) if checksums else None
        assert put(parts, row, number, checksum=checksum).status_code == 200
    stored = parts.parts(row)
    assert [(part.number, part.size) for part in stored] == [(1, PART), (2, len(BODY) - PART)]
    if checksums:
        assert [part.checksum_sha256 for part in stored] == [sha256(piece(1)), sha256(piece(2))]
    parts.join(row, stored)
    found = objects.head(row.s3_key)
    assert found.size == len(BODY)
    url = objects.sign_get(row, expires_seconds=60)
    assert hashlib.sha256(httpx.get(url).content).digest() == hashlib.sha256(BODY).digest()
    assert parts.parts(row) == []
    parts.join(row, stored)
    parts.abort(row)
    assert objects.head(row.s3_key) == found


def test_a_part_of_another_length_is_refused(parts, begun):
    row = begun()
    assert put(parts, row, 2, b"the rest!").status_code == 403
    assert put(parts, row, 1, piece(1)[:-1]).status_code == 403
    assert parts.parts(row) == []


def test_other_bytes_than_the_checksum_are_refused(parts, begun):
    row = begun(checksums=True)
    answer = put(parts, row, 2, bytes(reversed(piece(2))), checksum=sha256(piece(2)))
    assert answer.status_code == 400
    assert parts.parts(row) == []


def test_a_part_sent_again_counts_once_with_its_last_bytes(parts, begun):
    row = begun()
    assert put(parts, row, 2).status_code == 200
    [first] = parts.parts(row)
    assert put(parts, row, 2, bytes(reversed(piece(2)))).status_code == 200
    [second] = parts.parts(row)
    assert (second.number, second.size) == (first.number, first.size)
    assert second.etag != first.etag


def test_a_signature_opens_no_other_part(parts, begun):
    row = begun()
    signed = parts.sign_part(row, 2, None, expires_seconds=60)
    url = signed.url.replace("partNumber=2", "partNumber=1")
    assert httpx.put(url, headers=signed.headers, content=piece(2)).status_code == 403


def test_an_aborted_upload_leaves_nothing_and_may_be_aborted_again(parts, objects, begun):
    row = begun()
    assert put(parts, row, 2).status_code == 200
    parts.abort(row)
    parts.abort(row)
    assert parts.parts(row) == []
    assert put(parts, row, 1).status_code == 404
    assert objects.head(row.s3_key) is None


def test_open_uploads_and_objects_are_found_and_removed(parts, objects, begun):
    row, joined = begun(), begun(body=b"tiny")
    signed = parts.sign_part(joined, 1, None, expires_seconds=60)
    assert httpx.put(signed.url, headers=signed.headers, content=b"tiny").status_code == 200
    parts.join(joined, parts.parts(joined))

    def open_one():
        return [found for found in parts.open_uploads() if found.key == row.s3_key]

    def object_one():
        return [found for found in parts.objects() if found.key == joined.s3_key]

    [upload], [thing] = open_one(), object_one()
    assert upload.upload_id == row.multipart.upload_id
    assert (thing.size, thing.upload_id) == (4, None)
    for found in (upload, thing):
        parts.remove(found)
        parts.remove(found)
    assert open_one() == object_one() == []


def test_a_discarded_object_is_gone_and_may_be_discarded_again(parts, objects, begun):
    row = begun(body=b"tiny")
    signed = parts.sign_part(row, 1, None, expires_seconds=60)
    httpx.put(signed.url, headers=signed.headers, content=b"tiny")
    parts.join(row, parts.parts(row))
    objects.discard(row)
    objects.discard(row)
    assert objects.head(row.s3_key) is None


def test_storage_nobody_answers_for_is_unavailable(as_process, clock, record, unused_port):
    away = aws.client("s3", f"http://127.0.0.1:{unused_port}")
    store = s3_parts.S3Parts(away, away, away, "files", clock)
    row = replace(record("m"), multipart=Multipart("id", PART))
    for ask in (
        lambda: store.begin(row),
        lambda: store.parts(row),
        lambda: store.join(row, []),
        lambda: store.abort(row),
        lambda: list(store.objects()),
        lambda: list(store.open_uploads()),
    ):
        with pytest.raises(Unavailable):
            ask()
