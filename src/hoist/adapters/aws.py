"""boto3 clients, and what their failures mean.

Endpoints and credentials are boto3's own variables (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_DYNAMODB …):
an emulator and AWS differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from hoist.domain.errors import Unavailable

TEMPORARY = {
    "InternalError",
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TransactionInProgressException",
}


def client(service: str, endpoint: str = "", *, read_seconds: int = 8) -> Any:
    """A client that gives up soon: the callers have retries of their own."""
    return boto3.client(
        service,
        endpoint_url=endpoint or None,
        config=Config(
            # boto3's default for S3 URLs is SigV2, which signs no length (AWS-CONTRACTS 0.5).
            signature_version="s3v4" if service == "s3" else "v4",
            s3={"addressing_style": "path"} if service == "s3" else None,
            connect_timeout=2,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=50,
        ),
    )


@contextmanager
def temporary_failures(what: str) -> Iterator[None]:
    """Turn "down" and "too busy" into ``Unavailable``; let bugs fly."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if status >= 500 or error.response["Error"]["Code"] in TEMPORARY:
            raise Unavailable(f"{what} is unavailable") from error
        raise
    except ParamValidationError:
        raise  # a call nobody can make is a bug, however often it is tried
    except BotoCoreError as error:
        raise Unavailable(f"{what} is unavailable") from error


def own_credentials() -> Any:
    """This process's own, as botocore keeps them; None when it has none."""
    return boto3.Session().get_credentials()


def credentials() -> tuple[str, str]:
    """This process's own (key id, secret); empty when it has none."""
    found = own_credentials()
    return (found.access_key, found.secret_key) if found else ("", "")
