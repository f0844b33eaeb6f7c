"""Files in S3, or in anything that speaks its API.

IAM      s3:PutObject, s3:GetObject, s3:DeleteObject on the bucket's objects; s3:ListBucket on the
         bucket, without which S3 answers a HEAD for nothing with 403, not 404
Needs    a CORS rule on the bucket when browsers upload
Not here uploads in parts: s3_parts
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from hoist.adapters.aws import temporary_failures
from hoist.adapters.s3_signer import S3Signer
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileRecord, StoredObject
from hoist.domain.ports import Clock, SignedRequest

# What a browser may show by itself. Anything else, and anything that can run scripts in our
# name (HTML, SVG, PDF with actions, XML under any name ending in +xml), goes out as plain bytes.
HARMLESS = re.compile(
    r"(image/(png|jpeg|gif|webp)|text/plain|audio/[\w.-]+|video/[\w.-]+)", re.ASCII
)
PLAIN_BYTES = "application/octet-stream"


class S3Objects:
    def __init__(self, client: Any, signer: S3Signer, bucket: str, clock: Clock) -> None:
        self._client = client
        self._signer = signer
        self._bucket = bucket
        self._clock = clock

    def sign_put(self, record: FileRecord, *, expires_seconds: int) -> SignedRequest:
        file = record.file
        # Signed, so that storage itself refuses another size or type, and a second PUT.
        headers = {
            "Content-Length": str(file.size),
            "Content-Type": file.content_type,
            "If-None-Match": "*",
        }
        if file.checksum_sha256:
            headers["x-amz-checksum-sha256"] = file.checksum_sha256
        url = self._signer.url(
            "PUT", record.s3_key, expires_seconds=expires_seconds, headers=headers
        )
        return SignedRequest("PUT", url, headers, self._clock() + expires_seconds * 1000)

    def sign_get(self, record: FileRecord, *, expires_seconds: int) -> str:
        kind = record.file.content_type
        query = {
            "response-content-disposition": content_disposition(record.file.name),
            "response-content-type": kind if HARMLESS.fullmatch(kind) else PLAIN_BYTES,
        }
        return self._signer.url("GET", record.s3_key, expires_seconds=expires_seconds, query=query)

    def head(self, key: str) -> StoredObject | None:
        try:
            with temporary_failures("the object store"):
                found = self._client.head_object(
                    Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"
                )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        return StoredObject(
            size=found["ContentLength"],
            etag=found["ETag"].strip('"'),
            stored_at_ms=int(found["LastModified"].timestamp() * 1000),
            checksum_sha256=found.get("ChecksumSHA256"),
        )

    def discard(self, record: FileRecord) -> None:
        with temporary_failures("the object store"):
            self._client.delete_object(Bucket=self._bucket, Key=record.s3_key)

    def ready(self) -> None:
        """Raises ``Unavailable`` when the bucket cannot be reached, or is not there."""
        try:
            with temporary_failures("the object store"):
                self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            raise Unavailable(f"the object store has no bucket {self._bucket} for us") from error


def content_disposition(name: str) -> str:
    """``attachment`` with *name* in both forms of RFC 6266; nothing in it can end the header."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^\w .()+-]", "_", plain).strip() or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
