"""ObjectStore: real bytes over HTTP, and storage itself refuses whatever was not announced."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.exceptions import ParamValidationError

from hoist.adapters import aws, s3
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileFacts

BODY = b"bytes of ada"


def sha256(body):
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
def announced(record):
    """A record of *body*; a new key each time."""

    def make(body=BODY, name="a.txt", content_type="text/plain", checksum=None):
        facts = FileFacts(name, len(body), content_type, checksum_sha256=checksum)
        return record(secrets.token_hex(8), facts=facts)

    return make


def send(signed, body=BODY, **changed):
    """What a client does; *changed* headers are sent instead, or left out when None."""
    names = {"length": "Content-Length", "type": "Content-Type", "match": "If-None-Match"}
    headers = dict(signed.headers)
    for short, value in changed.items():
        headers.pop(names[short], None)
        if value is not None:
            headers[names[short]] = value
    return httpx.request(signed.method, signed.url, headers=headers, content=body, timeout=30)


def test_the_announced_bytes_are_stored_and_come_back_under_their_name(objects, announced):
    row = announced(name="résumé.txt", checksum=sha256(BODY))
    assert objects.head(row.s3_key) is None
    assert send(objects.sign_put(row, expires_seconds=60)).status_code == 200
    found = objects.head(row.s3_key)
    assert (found.size, found.checksum_sha256) == (len(BODY), sha256(BODY))
    assert found.etag
    assert found.stored_at_ms > 0
    answer = httpx.get(objects.sign_get(row, expires_seconds=60))
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"resume.txt\"; filename*=UTF-8''r%C3%A9sum%C3%A9.txt"
    )
    assert answer.headers["Content-Type"] == "text/plain"


def test_every_header_the_client_must_send_is_told_and_signed(objects, announced, clock):
    signed = objects.sign_put(announced(checksum=sha256(BODY)), expires_seconds=60)
    query = parse_qs(urlsplit(signed.url).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    told = {name.lower() for name in signed.headers} | {"host"}
    assert set(query["X-Amz-SignedHeaders"][0].split(";")) == told
    assert signed.expires_at_ms == clock() + 60_000


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"!", b""])
def test_another_size_is_refused_and_nothing_is_stored(objects, announced, body):
    row = announced()
    signed = objects.sign_put(row, expires_seconds=60)
    assert send(signed, body, length=str(len(body))).status_code == 403
    assert objects.head(row.s3_key) is None


@pytest.mark.parametrize("other", ["text/html", "text/plain2", None])
def test_another_type_is_refused(objects, announced, other):
    row = announced()
    assert send(objects.sign_put(row, expires_seconds=60), type=other).status_code == 403
    assert objects.head(row.s3_key) is None


def test_other_bytes_than_the_checksum_are_refused(objects, announced):
    row = announced(checksum=sha256(BODY))
    forged = bytes(reversed(BODY))
    assert send(objects.sign_put(row, expires_seconds=60), forged).status_code == 400
    assert objects.head(row.s3_key) is None


def test_a_second_put_is_refused_and_the_first_bytes_stay(objects, announced):
    row = announced()
    signed = objects.sign_put(row, expires_seconds=60)
    assert send(signed).status_code == 200
    assert send(signed, bytes(reversed(BODY))).status_code == 412
    assert send(signed, bytes(reversed(BODY)), match=None).status_code == 403
    assert httpx.get(objects.sign_get(row, expires_seconds=60)).content == BODY


def test_a_signature_opens_no_other_key(objects, announced):
    row, other = announced(), announced()
    signed = objects.sign_put(row, expires_seconds=60)
    url = signed.url.replace(row.file_id, other.file_id)
    answer = httpx.put(url, headers=signed.headers, content=BODY)
    assert answer.status_code == 403
    stolen = objects.sign_get(row, expires_seconds=60).replace(row.file_id, other.file_id)
    assert httpx.get(stolen).status_code == 403


def test_a_url_past_its_end_is_refused(objects, announced):
    # A life of no length is over when it arrives: the two sides of the limit without waiting.
    row = announced()
    assert send(objects.sign_put(row, expires_seconds=-1)).status_code in (400, 403)
    assert objects.head(row.s3_key) is None
    assert send(objects.sign_put(row, expires_seconds=60)).status_code == 200
    assert httpx.get(objects.sign_get(row, expires_seconds=-1)).status_code in (400, 403)


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "video/x+xml",
        "text/javascript",
        "application/pdf",
        "TEXT/HTML",
        "text/plain; charset=utf-7",
        "made/up",
    ],
)
def test_what_a_browser_could_run_leaves_as_bytes(objects, announced, kind):
    row = announced(name="evil.html", content_type=kind)
    assert send(objects.sign_put(row, expires_seconds=60)).status_code == 200
    answer = httpx.get(objects.sign_get(row, expires_seconds=60))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")


@pytest.mark.parametrize("kind", ["image/png", "text/plain", "audio/mpeg", "video/mp4"])
def test_what_only_shows_keeps_its_type(objects, announced, kind):
    row = announced(content_type=kind)
    assert send(objects.sign_put(row, expires_seconds=60)).status_code == 200
    answer = httpx.get(objects.sign_get(row, expires_seconds=60))
    assert answer.headers["Content-Type"] == kind


@pytest.mark.parametrize(
    "name",
    ['a"; filename="b.exe', "a\r\nX-Evil: 1", "a\x00\x1f\x7fb", "..\\..\\/etc/passwd", "🦐", "%22"],
)
def test_no_name_breaks_out_of_the_header(name):
    value = s3.content_disposition(name)
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    plain = value.split('"')[1]
    assert plain
    assert not set(plain) & set("/\\%;")


def test_storage_nobody_answers_for_is_unavailable(as_process, clock, unused_port):
    away = aws.client("s3", f"http://127.0.0.1:{unused_port}")
    with pytest.raises(Unavailable):
        s3.S3Objects(away, away, "files", clock).head("files/aa/aa")


def test_storage_without_its_bucket_is_not_ready(s3_client, objects, clock):
    objects.ready()
    with pytest.raises(Unavailable, match="no bucket"):
        s3.S3Objects(s3_client, s3_client, "never-made", clock).ready()


def test_a_call_nobody_can_make_is_a_bug_and_not_an_outage(s3_client):
    with pytest.raises(ParamValidationError), aws.temporary_failures("the object store"):
        s3_client.head_object(Bucket="files")
