"""Presigned URLs: SigV4 in the query (AWS-CONTRACTS section 0), signed, never sent.

boto3's ``generate_presigned_url`` validates, serializes and finds the endpoint anew for each URL,
twice the work of the signature; a page of a list has fifty. Here the client says once what URLs of
the bucket begin with, and the signature is botocore's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError


class S3Signer:
    """*client* knows the endpoint that those who use the URLs reach; it never connects.

    *credentials* are botocore's: those of a role are renewed by themselves.
    """

    def __init__(self, client: Any, credentials: Any, bucket: str) -> None:
        self._client, self._credentials, self._bucket = client, credentials, bucket

    def url(
        self,
        method: str,
        key: str,
        *,
        expires_seconds: int,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
    ) -> str:
        """Whoever uses the URL must send *headers* as they are here; others they may add."""
        if self._credentials is None:
            raise NoCredentialsError
        request = AWSRequest(
            method, self._beginning + quote(key, safe="/~"), dict(headers), params=dict(query)
        )
        now = self._credentials.get_frozen_credentials()
        region = self._client.meta.region_name
        S3SigV4QueryAuth(now, "s3", region, expires_seconds).add_auth(request)
        return str(request.url)

    @cached_property
    def _beginning(self) -> str:
        params = {"Bucket": self._bucket, "Key": "key"}
        whole: str = self._client.generate_presigned_url("head_object", params)
        return whole.partition("?")[0].removesuffix("key")
