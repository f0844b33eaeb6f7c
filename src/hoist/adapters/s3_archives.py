"""Archives in S3, or in anything that speaks its API: a zip, and beside it what became of it.

IAM      s3:GetObject, s3:PutObject, s3:AbortMultipartUpload on the bucket's objects
Needs    a lifecycle rule that expires ``archives/`` after a day and aborts its incomplete uploads,
         for what even the janitor does not see; notifications of the bucket for ``files/`` alone
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from hoist.adapters.aws import temporary_failures
from hoist.adapters.s3 import content_disposition
from hoist.adapters.s3_signer import S3Signer
from hoist.domain.archives import ArchiveReport, ZipStream, archive_key
from hoist.domain.errors import NotStored, Unavailable
from hoist.domain.model import FileRecord

logger = logging.getLogger(__name__)
WHAT = "the object store"
GONE = ("NoSuchKey", "404", "NotFound")
CHECKSUM = "CRC32"  # said aloud: boto3 adds one anyway, and storage wants it again at the end
CHUNK_BYTES, PART_BYTES = 8 * 1024**2, 8 * 1024**2


class S3Archives:
    """*patient* is a client that waits for minutes: storage takes its time to join the parts."""

    def __init__(self, client: Any, patient: Any, signer: S3Signer, bucket: str) -> None:
        self._client, self._patient, self._signer = client, patient, signer
        self._bucket = bucket

    def chunks(self, record: FileRecord) -> Iterator[bytes]:
        # In ranges: no connection idles, and may be cut, while what was read is being written.
        size = record.stored.size if record.stored else record.file.size
        for start in range(0, size, CHUNK_BYTES):
            last = min(start + CHUNK_BYTES, size) - 1
            found = self._read(record.s3_key, f"bytes={start}-{last}")
            if found is None and start:
                raise Unavailable("a file was removed while it was read")
            if found is None:
                raise NotStored("storage has nothing")
            yield found

    @contextmanager
    def writing(self, archive_id: str) -> Iterator[ZipStream]:
        upload = _Upload(self._patient, self._bucket, archive_key(archive_id))
        try:
            yield upload
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    def settle(self, archive_id: str, report: ArchiveReport) -> None:
        with temporary_failures(WHAT):
            self._client.put_object(
                Bucket=self._bucket,
                Key=_report_key(archive_id),
                Body=report.to_json(),
                ContentType="application/json",
            )

    def report(self, archive_id: str) -> ArchiveReport | None:
        found = self._read(_report_key(archive_id))
        return None if found is None else ArchiveReport.model_validate_json(found)

    def sign_get(self, archive_id: str, name: str, *, expires_seconds: int) -> str:
        return self._signer.url(
            "GET",
            archive_key(archive_id),
            expires_seconds=expires_seconds,
            query={"response-content-disposition": content_disposition(name)},
        )

    def _read(self, key: str, span: str | None = None) -> bytes | None:
        part = {"Range": span} if span else {}
        try:
            with temporary_failures(WHAT):
                answer = self._client.get_object(Bucket=self._bucket, Key=key, **part)
                return bytes(answer["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise


class _Upload:
    """A stream into one object: in parts, or with a single PUT when it is less than a part."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._place = client, {"Bucket": bucket, "Key": key}
        self._upload_id = ""
        self._parts: list[dict[str, Any]] = []
        self._waiting = bytearray()
        self._written = 0

    def write(self, data: bytes, /) -> int:
        self._waiting += data
        self._written += len(data)
        while len(self._waiting) >= PART_BYTES:
            self._send(bytes(memoryview(self._waiting)[:PART_BYTES]))
            del self._waiting[:PART_BYTES]
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """A part is sent when it is full, no sooner."""

    def close(self) -> None:
        """It is over with ``finish`` or ``abort``."""

    def finish(self) -> None:
        rest = bytes(self._waiting)
        if not self._upload_id:
            with _written():
                self._client.put_object(**self._place, Body=rest, ContentType="application/zip")
            return
        if rest:
            self._send(rest)
        with _written():
            self._client.complete_multipart_upload(
                **self._place, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        if not self._upload_id:
            return
        try:
            with temporary_failures(WHAT):
                self._client.abort_multipart_upload(**self._place, UploadId=self._upload_id)
        except (ClientError, Unavailable) as error:
            # What stopped the upload may stop this as well: the janitor finds it tomorrow.
            told = {"key": self._place["Key"], "reason": str(error)}
            logger.warning("parts left behind", extra=told)

    def _send(self, body: bytes) -> None:
        with _written():
            if not self._upload_id:
                begun = self._client.create_multipart_upload(
                    **self._place, ContentType="application/zip", ChecksumAlgorithm=CHECKSUM
                )
                self._upload_id = str(begun["UploadId"])
            number = len(self._parts) + 1
            sent = self._client.upload_part(
                **self._place,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=body,
                ChecksumAlgorithm=CHECKSUM,
            )
        names = ("ETag", f"Checksum{CHECKSUM}")
        self._parts.append({"PartNumber": number, **{name: sent[name] for name in names}})


@contextmanager
def _written() -> Iterator[None]:
    try:
        with temporary_failures(WHAT):
            yield
    except ClientError as error:
        # Joined by a call whose answer was lost, or aborted by somebody: built anew, it is right.
        if error.response["Error"]["Code"] == "NoSuchUpload":
            raise Unavailable("the parts of the archive are gone") from error
        raise


def _report_key(archive_id: str) -> str:
    return archive_key(archive_id) + ".json"
