"""Uploads in parts, and what a bucket holds besides, in S3 or anything that speaks its API.

IAM      s3:PutObject, s3:AbortMultipartUpload, s3:ListMultipartUploadParts on the objects;
         s3:ListBucket, s3:ListBucketMultipartUploads on the bucket
Needs    a lifecycle rule that aborts incomplete uploads, for what even the janitor cannot see
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hoist.adapters.aws import temporary_failures
from hoist.adapters.s3_signer import S3Signer
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileRecord, Multipart
from hoist.domain.ports import Clock, Found, SignedRequest, StoredPart

WHAT = "the object store"
GONE = ("NoSuchUpload", "404", "NotFound", "NoSuchKey")
CHANGING = ("ConditionalRequestConflict", "InvalidPart")


class S3Parts:
    """*patient* is a client that waits for minutes: joining thousands of parts takes its time.

    Of the bucket, *prefix* says which keys are looked through.
    """

    def __init__(
        self,
        client: Any,
        patient: Any,
        signer: S3Signer,
        bucket: str,
        clock: Clock,
        prefix: str = "files/",
    ) -> None:
        self._client, self._patient, self._signer = client, patient, signer
        self._bucket, self._clock, self._prefix = bucket, clock, prefix

    def begin(self, record: FileRecord) -> str:
        # Without an algorithm S3 refuses part checksums, with one it wants them from every part.
        checksum = {"ChecksumAlgorithm": "SHA256"} if record.file.part_checksums else {}
        with temporary_failures(WHAT):
            begun = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=record.s3_key,
                ContentType=record.file.content_type,
                **checksum,
            )
        return str(begun["UploadId"])

    def sign_part(
        self, record: FileRecord, number: int, checksum_sha256: str | None, *, expires_seconds: int
    ) -> SignedRequest:
        multipart = _multipart(record)
        length = multipart.length(number, record.file.size)
        headers = {"Content-Length": str(length)}
        if checksum_sha256:
            headers["x-amz-checksum-sha256"] = checksum_sha256
        url = self._signer.url(
            "PUT",
            record.s3_key,
            expires_seconds=expires_seconds,
            query={"partNumber": str(number), "uploadId": multipart.upload_id},
            headers=headers,
        )
        return SignedRequest("PUT", url, headers, self._clock() + expires_seconds * 1000)

    def parts(self, record: FileRecord) -> list[StoredPart]:
        found: list[StoredPart] = []
        start: dict[str, Any] = {}
        while True:
            try:
                with temporary_failures(WHAT):
                    page = self._client.list_parts(**self._upload(record), **start)
            except ClientError as error:
                if error.response["Error"]["Code"] in GONE:
                    return []
                raise
            found += [
                StoredPart(
                    part["PartNumber"],
                    part["Size"],
                    part["ETag"].strip('"'),
                    part.get("ChecksumSHA256"),
                )
                for part in page.get("Parts", ())
            ]
            if not page.get("IsTruncated"):
                return found
            start = {"PartNumberMarker": page["NextPartNumberMarker"]}

    def join(self, record: FileRecord, parts: Sequence[StoredPart]) -> None:
        told = [
            {"PartNumber": part.number, "ETag": part.etag}
            | ({"ChecksumSHA256": part.checksum_sha256} if part.checksum_sha256 else {})
            for part in parts
        ]
        try:
            with temporary_failures(WHAT):
                self._patient.complete_multipart_upload(
                    **self._upload(record), MultipartUpload={"Parts": told}, IfNoneMatch="*"
                )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in CHANGING:
                raise Unavailable("the parts are being joined or sent by somebody else") from error
            # Somebody joined them before: the object is there.
            if code not in (*GONE, "PreconditionFailed"):
                raise

    def abort(self, record: FileRecord) -> None:
        if record.multipart:
            self._abort(record.s3_key, record.multipart.upload_id)

    def _upload(self, record: FileRecord) -> dict[str, Any]:
        upload_id = _multipart(record).upload_id
        return {"Bucket": self._bucket, "Key": record.s3_key, "UploadId": upload_id}

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            with temporary_failures(WHAT):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id
                )
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise

    # Inventory

    def objects(self) -> Iterator[Found]:
        for item in self._listed("list_objects_v2", "Contents"):
            yield Found(item["Key"], _ms(item["LastModified"]), item["Size"])

    def open_uploads(self) -> Iterator[Found]:
        for item in self._listed("list_multipart_uploads", "Uploads"):
            yield Found(item["Key"], _ms(item["Initiated"]), upload_id=item["UploadId"])

    def remove(self, found: Found) -> None:
        if found.upload_id:
            self._abort(found.key, found.upload_id)
            return
        with temporary_failures(WHAT):
            self._client.delete_object(Bucket=self._bucket, Key=found.key)

    def _listed(self, operation: str, member: str) -> Iterator[dict[str, Any]]:
        paginator = self._client.get_paginator(operation)
        pages = paginator.paginate(Bucket=self._bucket, Prefix=self._prefix)
        with temporary_failures(WHAT):
            for page in pages:
                yield from page.get(member, ())


def _multipart(record: FileRecord) -> Multipart:
    assert record.multipart, "not an upload in parts"
    return record.multipart


def _ms(at: Any) -> int:
    return int(at.timestamp() * 1000)
