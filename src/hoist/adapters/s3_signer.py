"""Presigned URLs: SigV4 in the query (AWS-CONTRACTS section 0), signed, never sent.

boto3's ``generate_presigned_url`` validates, serializes and finds the endpoint anew for each URL,
twice the work of the signature; a page of a list has fifty. Here the client says once what URLs of
the bucket begin with, and the signature is botocore's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from hoist.adapters.aws import temporary_failures
from hoist.domain.errors import Unavailable


class S3Signer:
    """*client* knows the endpoint that those who use the URLs reach; it never connects.

    *find_credentials* gives botocore's, or None when there are none, as while a machine's role does
    not answer; then it is asked again at the next URL. Those of a role are renewed by themselves.
    """

    def __init__(self, client: Any, find_credentials: Callable[[], Any], bucket: str) -> None:
        self._client, self._find_credentials, self._bucket = client, find_credentials, bucket
        self._credentials: Any = None

    def url(
        self,
        method: str,
        key: str,
        *,
        expires_seconds: int,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
    ) -> str:
        """Whoever uses the URL must send *headers* as they are here; others they may add.

        Raises ``Unavailable`` while this process has no credentials to sign with.
        """
        with temporary_failures("what URLs are signed with"):
            self._credentials = self._credentials or self._find_credentials()
            if self._credentials is None:
                raise Unavailable("there are no credentials to sign URLs with")
            now = self._credentials.get_frozen_credentials()
            place = self._beginning + quote(key, safe="/~")
        request = AWSRequest(method, place, dict(headers), params=dict(query))
        region = self._client.meta.region_name
        S3SigV4QueryAuth(now, "s3", region, expires_seconds).add_auth(request)
        return str(request.url)

    @cached_property
    def _beginning(self) -> str:
        params = {"Bucket": self._bucket, "Key": "key"}
        whole: str = self._client.generate_presigned_url("head_object", params)
        return whole.partition("?")[0].removesuffix("key")
