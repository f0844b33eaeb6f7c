"""Presigned URLs: SigV4 in the query (AWS-CONTRACTS section 0), signed, never sent.

boto3's ``generate_presigned_url`` validates, serializes and finds the endpoint anew for each URL,
and its signer builds a request, derives the day's key and parses what it just built: ten times the
work of the signature, and a page of a list has fifty. Here the client says once what URLs of the
bucket begin with, and the rest is the recipe of
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from hoist.adapters.aws import temporary_failures
from hoist.domain.errors import Unavailable

ALGORITHM, SERVICE, LAST = "AWS4-HMAC-SHA256", "s3", "aws4_request"


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
            place = self._beginning
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        region = self._client.meta.region_name
        scope = f"{at[:8]}/{region}/{SERVICE}/{LAST}"
        signed = {"host": place.netloc} | {name.lower(): value for name, value in headers.items()}
        told = {
            **query,
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{now.access_key}/{scope}",
            "X-Amz-Date": at,
            "X-Amz-Expires": str(expires_seconds),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
            **({"X-Amz-Security-Token": now.token} if now.token else {}),
        }
        path = place.path + quote(key, safe="/~")
        asked = "&".join(f"{_quoted(name)}={_quoted(told[name])}" for name in sorted(told))
        text = "\n".join([ALGORITHM, at, scope, _hashed_request(method, path, asked, signed)])
        signature = _hmac(_signing_key(now.secret_key, at[:8], region), text).hex()
        return f"{place.scheme}://{place.netloc}{path}?{asked}&X-Amz-Signature={signature}"

    @cached_property
    def _beginning(self) -> SplitResult:
        params = {"Bucket": self._bucket, "Key": "key"}
        whole = urlsplit(str(self._client.generate_presigned_url("head_object", params)))
        return whole._replace(path=whole.path.removesuffix("key"))


def _hashed_request(method: str, path: str, asked: str, signed: Mapping[str, str]) -> str:
    """Of the canonical request: names in order, values without superfluous blanks."""
    lines = [f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)]
    names = ";".join(sorted(signed))
    request = "\n".join([method, path, asked, *lines, "", names, "UNSIGNED-PAYLOAD"])
    return hashlib.sha256(request.encode()).hexdigest()


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


@lru_cache(8)  # a day's, of each region and secret
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, SERVICE, LAST):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
