"""Whether a service really works: each probe uses it as we do, and raises when it does not."""

from __future__ import annotations

import json
import secrets
import socket
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import redis
from kafka import KafkaAdminClient
from websockets.sync.client import connect

from emulation import provision

Settings = Mapping[str, str]
READY_LINE = '"worker ready"'


def kafka(settings: Settings, log: Path) -> None:
    """Metadata of the cluster."""
    # A client that finds nobody waits ever longer before it looks again, up to 30 s.
    host, _, port = settings["HOIST_KAFKA_BOOTSTRAP"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=2):
        pass
    admin = KafkaAdminClient(
        bootstrap_servers=settings["HOIST_KAFKA_BOOTSTRAP"],
        bootstrap_timeout_ms=5_000,
        request_timeout_ms=5_000,
    )
    try:
        admin.list_topics()
    finally:
        admin.close()


def dynamodb(settings: Settings, log: Path) -> None:
    provision.client("dynamodb", settings).list_tables()


def localstack(settings: Settings, log: Path) -> None:
    """PUT and GET of an object, and a queue."""
    s3 = provision.client("s3", settings)
    region = settings["AWS_DEFAULT_REGION"]
    bucket, body = f"probe-{secrets.token_hex(4)}", secrets.token_bytes(16)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_object(Bucket=bucket, Key="probe", Body=body)
    assert s3.get_object(Bucket=bucket, Key="probe")["Body"].read() == body
    s3.delete_object(Bucket=bucket, Key="probe")
    s3.delete_bucket(Bucket=bucket)
    provision.client("sqs", settings).list_queues()


def redis_server(settings: Settings, log: Path) -> None:
    client = redis.Redis.from_url(settings["HOIST_REDIS_URL"], socket_timeout=2)
    try:
        assert client.set("probe", "1", ex=5)
    finally:
        client.close()


def issuer(settings: Settings, log: Path) -> None:
    """Discovery and keys."""
    found = _get(settings["HOIST_ISSUER"] + ".well-known/openid-configuration")
    assert _get(found["jwks_uri"])["keys"]


def gateway(settings: Settings, log: Path) -> None:
    """Readiness, then a ping over a WebSocket with a real token."""
    url = settings["HOIST_GATEWAY_URL"]
    _get(f"{url}/readyz")
    login = {
        "grant_type": "password",
        "client_id": "hoist-cli",
        "username": "ada",
        "password": "ada",
    }
    token = _get(settings["HOIST_ISSUER"] + "oauth/token", login)["access_token"]
    with connect(
        url.replace("http", "ws", 1) + "/ws",
        additional_headers={"Authorization": f"Bearer {token}"},
        open_timeout=5,
        close_timeout=1,
    ) as socket:
        socket.send('{"action": "ping"}')
        assert json.loads(socket.recv(timeout=5))["event"] == "pong"


def worker(settings: Settings, log: Path) -> None:
    """It says that it polls; whether it keeps up is for lag to tell."""
    assert READY_LINE in log.read_text(), "not polling yet"


def of(name: str) -> Callable[[Settings, Path], None]:
    """The probe of the service called *name*."""
    engines = {
        "kafka": kafka,
        "dynamodb": dynamodb,
        "localstack": localstack,
        "redis": redis_server,
        "issuer": issuer,
    }
    return engines.get(name) or (gateway if name.startswith("gateway-") else worker)


def _get(url: str, form: dict[str, str] | None = None) -> Any:
    data = json.dumps(form).encode() if form else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except HTTPError as error:
        raise AssertionError(f"{url}: {error.code} {error.read()[:300]!r}") from error
