"""Whether a request was signed with our AWS credentials, as API Gateway's management API asks.

The signature is computed again by botocore over the headers that the caller signed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from hoist.domain.errors import Forbidden
from hoist.domain.ports import Clock

SKEW_SECONDS_MAX = 300
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([\w-]+)/execute-api/aws4_request, ?"
    r"SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})"
)


class SigV4Verifier:
    """*credentials* answers with the (key id, secret) pair that may manage connections."""

    def __init__(self, credentials: Callable[[], tuple[str, str]], clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raises ``Forbidden``, without saying what was wrong."""
        given = {name.lower(): value for name, value in headers.items()}
        match = _HEADER.fullmatch(given.get("authorization", ""))
        key_id, secret = self._credentials()
        if not match or match[1] != key_id:
            raise Forbidden("sign this request with the service's AWS credentials")
        _, date, region, signed, signature = match.groups()
        stamp = given.get("x-amz-date", "")
        if not self._is_recent(stamp, date) or "host" not in signed.split(";"):
            raise Forbidden("sign this request with the service's AWS credentials")
        request = AWSRequest(method=method, url=url, data=body)
        for name in signed.split(";"):
            request.headers[name] = given.get(name, "")
        request.context["timestamp"] = stamp
        auth = SigV4Auth(Credentials(key_id, secret), "execute-api", region)
        wanted = auth.signature(
            auth.string_to_sign(request, _canonical(auth, request, signed, body)), request
        )
        if not hmac.compare_digest(wanted, signature):
            raise Forbidden("sign this request with the service's AWS credentials")

    def _is_recent(self, stamp: str, date: str) -> bool:
        try:
            at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return False
        return stamp.startswith(date) and abs(self._clock() / 1000 - at.timestamp()) < (
            SKEW_SECONDS_MAX
        )


def _canonical(auth: SigV4Auth, request: AWSRequest, signed: str, body: bytes) -> str:
    """botocore's canonical request over exactly the headers that were signed."""
    headers = {name: request.headers[name] for name in signed.split(";")}
    lines = [
        request.method.upper(),
        auth._normalize_url_path(_path(request.url)),
        auth.canonical_query_string(request),
        "".join(f"{name}:{' '.join(str(headers[name]).split())}\n" for name in sorted(headers)),
        ";".join(sorted(headers)),
        hashlib.sha256(body).hexdigest(),  # of what came, whatever a header says
    ]
    return "\n".join(lines)


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[-1].partition("/")[2].partition("?")[0]
