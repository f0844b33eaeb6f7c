"""Archives in real storage: streamed in parts, whole or not at all."""

import hashlib
import io
import os
import secrets
import zipfile
from dataclasses import replace

import httpx
import pytest

from hoist.adapters import aws, s3_archives, s3_parts
from hoist.domain.archives import PREFIX, ArchiveReport, archive_key
from hoist.domain.errors import NotStored, Unavailable
from hoist.domain.model import FileFacts, StoredObject

MIB = 1024**2
LARGE = 6 * MIB


@pytest.fixture
def archives(s3_client, s3_signer, bucket):
    return s3_archives.S3Archives(s3_client, s3_client, s3_signer, bucket)


@pytest.fixture
def inventory(s3_client, s3_signer, bucket, clock):
    return s3_parts.S3Parts(s3_client, s3_client, s3_signer, bucket, clock, PREFIX)


@pytest.fixture
def archive_id():
    return secrets.token_hex(28)


@pytest.fixture
def stored(record, s3_client, bucket):
    """Puts bytes behind a record of their size."""

    def put(body):
        row = record(secrets.token_hex(8), facts=FileFacts("a.bin", len(body), "text/plain"))
        s3_client.put_object(Bucket=bucket, Key=row.s3_key, Body=body)
        return replace(row, stored=StoredObject(len(body), "e", 0))

    return put


def keys(found, archive_id):
    return sorted(item.key for item in found if archive_id in item.key)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [1, 8 * MIB, 8 * MIB + 1, 20 * MIB])
def test_a_file_is_read_in_chunks_that_are_its_bytes(archives, stored, size):
    body = os.urandom(size)
    chunks = list(archives.chunks(stored(body)))
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 8 * MIB


def test_a_file_that_is_not_there_is_told_before_anything_is_read(archives, record):
    with pytest.raises(NotStored):
        next(archives.chunks(record("m-1")))


def test_a_file_that_goes_while_it_is_read_is_no_whole_file(archives, stored, objects):
    row = stored(os.urandom(9 * MIB))
    chunks = archives.chunks(row)
    assert len(next(chunks)) == 8 * MIB
    objects.discard(row)
    with pytest.raises(Unavailable):
        next(chunks)


def test_a_zip_of_large_files_is_written_in_parts_and_saved_as_named(
    archives, stored, inventory, archive_id, s3_client, bucket
):
    bodies = {f"x/{number}.bin": os.urandom(LARGE) for number in range(3)}
    rows = {name: stored(body) for name, body in bodies.items()}
    with archives.writing(archive_id) as stream:
        with zipfile.ZipFile(stream, "w") as packed:
            for name, row in rows.items():
                with packed.open(name, "w") as entry:
                    for chunk in archives.chunks(row):
                        entry.write(chunk)
                assert keys(inventory.open_uploads(), archive_id) or name == "x/0.bin"
        size = stream.tell()
    assert keys(inventory.objects(), archive_id) == [archive_key(archive_id)]
    assert keys(inventory.open_uploads(), archive_id) == []
    told = s3_client.head_object(Bucket=bucket, Key=archive_key(archive_id))
    assert told["ETag"].endswith('-3"')
    url = archives.sign_get(archive_id, 'hoist-"x".zip', expires_seconds=60)
    answer = httpx.get(url, timeout=60)
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="hoist-_x_.zip')
    assert len(answer.content) == size
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        assert {n: sha256(found.read(n)) for n in found.namelist()} == {
            name: sha256(body) for name, body in bodies.items()
        }


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 8 * MIB + 1])
def test_what_is_written_is_what_is_there(archives, archive_id, size):
    body = os.urandom(size)
    with archives.writing(archive_id) as stream:
        assert stream.write(body) == size
        assert stream.tell() == size
    url = archives.sign_get(archive_id, "a.zip", expires_seconds=60)
    assert sha256(httpx.get(url, timeout=60).content) == sha256(body)


@pytest.mark.parametrize("size", [LARGE, 3 * LARGE])
def test_a_failure_on_the_way_leaves_no_object_and_no_parts(archives, inventory, archive_id, size):
    with pytest.raises(ZeroDivisionError):
        with archives.writing(archive_id) as stream:
            stream.write(bytes(size))
            is_open = bool(keys(inventory.open_uploads(), archive_id))
            _ = 1 / 0
    assert is_open is (size > 8 * MIB)
    assert keys(inventory.open_uploads(), archive_id) == []
    assert keys(inventory.objects(), archive_id) == []


def test_a_second_zip_takes_the_place_of_the_first(archives, archive_id):
    for body in (b"first", b"second"):
        with archives.writing(archive_id) as stream:
            stream.write(body)
    url = archives.sign_get(archive_id, "a.zip", expires_seconds=60)
    assert httpx.get(url).content == b"second"


def test_parts_that_somebody_else_aborted_are_a_reason_to_build_anew(
    archives, inventory, archive_id
):
    with pytest.raises(Unavailable):
        with archives.writing(archive_id) as stream:
            stream.write(bytes(9 * MIB))
            for found in inventory.open_uploads():
                if archive_id in found.key:
                    inventory.remove(found)
    assert keys(inventory.objects(), archive_id) == []


def test_what_became_of_an_archive_is_remembered(archives, archive_id):
    assert archives.report(archive_id) is None
    error = {"code": "nothing_to_archive", "status": 409}
    for report in (
        ArchiveReport(state="failed", error=error),
        ArchiveReport(state="ready", files=2, size=300, left_out=1),
    ):
        archives.settle(archive_id, report)
        assert archives.report(archive_id) == report


def test_archives_are_no_files_of_anybody(archives, parts, inventory, archive_id, stored):
    row = stored(b"x")
    archives.settle(archive_id, ArchiveReport(state="ready"))
    with archives.writing(archive_id) as stream:
        stream.write(bytes(9 * MIB))
        assert keys(parts.open_uploads(), archive_id) == []
    assert keys(parts.objects(), archive_id) == []
    assert row.s3_key not in [found.key for found in inventory.objects()]
    for found in inventory.objects():
        inventory.remove(found)
    assert archives.report(archive_id) is None


def test_storage_nobody_answers_for_is_unavailable(as_process, record, unused_port, archive_id):
    away = aws.client("s3", f"http://127.0.0.1:{unused_port}")
    store = s3_archives.S3Archives(away, away, away, "files")

    def write(size):
        with store.writing(archive_id) as stream:
            stream.write(bytes(size))

    for ask in (
        lambda: next(store.chunks(record("m-1"))),
        lambda: store.settle(archive_id, ArchiveReport(state="ready")),
        lambda: store.report(archive_id),
        lambda: write(1),
        lambda: write(9 * MIB),
    ):
        with pytest.raises(Unavailable):
            ask()
