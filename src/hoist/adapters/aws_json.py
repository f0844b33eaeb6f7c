"""The few calls that every request makes of DynamoDB and SQS, sent as they are.

Both speak JSON over POST: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
A boto3 client validates, serializes, resolves and parses each call by its model, which costs more
than the call itself (docs/performance.md). What the client was told counts here too: endpoint,
region, time limits, attempts. Calls that are rare are made by the client.

Wants    no proxy on the way: a VPC endpoint, or a direct one
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from pydantic_core import from_json, to_json

from hoist.adapters import signatures
from hoist.adapters.aws import TEMPORARY, own_credentials

WITH_TOKEN = ("TransactWriteItems",)  # a second attempt of these must not be a second call


class JsonCalls:
    """Made like *client*'s, whose answers and errors these also have.

    ``ClientError`` when the service refuses, ``BotoCoreError`` when it cannot be reached. Binary
    members are not translated.
    """

    def __init__(self, client: Any) -> None:
        meta = client.meta
        model = meta.service_model
        self._url = meta.endpoint_url.rstrip("/") + "/"
        place = urlsplit(self._url)
        self._path = place.path  # urllib3 looks at a whole URL anew each time
        self._signed_path = quote(place.path, safe="/~")
        self._host = signatures.host(place)
        self._prefix = model.metadata["targetPrefix"]
        self._place = (meta.region_name, model.signing_name)
        self._attempts = meta.config.retries["total_max_attempts"]
        self._http = urllib3.connection_from_url(
            self._url,
            maxsize=meta.config.max_pool_connections,
            timeout=urllib3.Timeout(meta.config.connect_timeout, meta.config.read_timeout),
            retries=False,
            **({"ca_certs": get_cert_path(True)} if self._url.startswith("https:") else {}),
        )

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation in WITH_TOKEN:
            parameters.setdefault("ClientRequestToken", str(uuid.uuid4()))
        body = to_json(parameters)
        for attempt in range(1, self._attempts + 1):
            try:
                return self._answer(operation, body)
            except (ClientError, HTTPClientError) as error:
                if attempt == self._attempts or not _helps(error):
                    raise
                time.sleep(random.uniform(0, 2 ** (attempt - 1)))
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            answer = self._http.urlopen(
                "POST", self._path, body=body, headers=self._signed(operation, body)
            )
        except urllib3.exceptions.HTTPError as error:
            raise HTTPClientError(error=error) from error
        if answer.status == 200:
            told: dict[str, Any] = from_json(answer.data)
            return told
        raise ClientError(_refusal(answer), operation)

    def _signed(self, operation: str, body: bytes) -> dict[str, str]:
        credentials = self._credentials
        if credentials is None:
            del self._credentials  # asked again next time: a role may not have answered
            raise NoCredentialsError
        keys = credentials.get_frozen_credentials()
        scope = signatures.now(*self._place)
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "host": self._host,
            "x-amz-date": scope.at,
            "x-amz-target": f"{self._prefix}.{operation}",
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        request = signatures.canonical_request(
            "POST", self._signed_path, "", headers, hashlib.sha256(body).hexdigest()
        )
        headers["authorization"] = (
            f"{signatures.ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={signatures.names(headers)}, "
            f"Signature={signatures.signature(keys.secret_key, scope, request)}"
        )
        return headers

    @cached_property
    def _credentials(self) -> Any:
        return own_credentials()


def _refusal(answer: Any) -> dict[str, Any]:
    """What a ``ClientError`` says; whoever stands in between may answer without JSON."""
    try:
        told = from_json(answer.data)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    code = str(told.get("__type", answer.status)).rpartition("#")[2]
    message = told.get("message", told.get("Message", ""))
    return told | {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": answer.status},
    }


def _helps(error: Exception) -> bool:
    """Whether another attempt may: as botocore's standard mode has it."""
    if not isinstance(error, ClientError):
        return True
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status >= 500 or error.response["Error"]["Code"] in TEMPORARY
