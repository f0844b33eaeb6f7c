"""Presigned URLs: SigV4 in the query (AWS-CONTRACTS section 0), signed, never sent.

boto3's ``generate_presigned_url`` validates, serializes and finds the endpoint anew for each URL,
and a page of a list has fifty (docs/performance.md). Here the client says once what URLs of the
bucket begin with, and the rest is the recipe of
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from hoist.adapters import signatures
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
            keys = self._credentials.get_frozen_credentials()
            place = self._beginning
        scope = signatures.now(self._client.meta.region_name, "s3")
        signed = {name.lower(): value for name, value in headers.items()}
        signed["host"] = signatures.host(place)
        told = {
            **query,
            "X-Amz-Algorithm": signatures.ALGORITHM,
            "X-Amz-Credential": f"{keys.access_key}/{scope}",
            "X-Amz-Date": scope.at,
            "X-Amz-Expires": str(expires_seconds),
            "X-Amz-SignedHeaders": signatures.names(signed),
            **({"X-Amz-Security-Token": keys.token} if keys.token else {}),
        }
        path = place.path + quote(key, safe="/~")
        asked = "&".join(f"{_quoted(name)}={_quoted(told[name])}" for name in sorted(told))
        request = signatures.canonical_request(method, path, asked, signed, "UNSIGNED-PAYLOAD")
        signature = signatures.signature(keys.secret_key, scope, request)
        return f"{place.scheme}://{place.netloc}{path}?{asked}&X-Amz-Signature={signature}"

    @cached_property
    def _beginning(self) -> SplitResult:
        params = {"Bucket": self._bucket, "Key": "key"}
        whole = urlsplit(str(self._client.generate_presigned_url("head_object", params)))
        return whole._replace(path=whole.path.removesuffix("key"))


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
