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

import psycopg
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


def postgres(settings: Settings, log: Path) -> None:
    """A query, in the database that is always there."""
    with psycopg.connect(provision.server_of(settings["HOIST_STORE"]), connect_timeout=2) as there:
        assert there.execute("SELECT 1").fetchone() == (1,)


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
    """Discovery and keys; in a faulty stack past the proxy that is in its name."""
    here = settings["HOIST_ISSUER"]
    found = _get(here + ".well-known/openid-configuration")
    assert _get(found["jwks_uri"].replace(found["issuer"], here))["keys"]


def gateway(settings: Settings, log: Path) -> None:
    """Readiness, then a ping over a WebSocket with a real token."""
    url = f"http://{settings['HOIST_LISTEN']}"
    _get(f"{url}/readyz")
    token = _token(settings, "ada")
    with connect(
        url.replace("http", "ws", 1) + "/ws",
        additional_headers={"Authorization": f"Bearer {token}"},
        open_timeout=5,
        close_timeout=1,
    ) as socket:
        socket.send('{"action": "ping"}')
        assert json.loads(socket.recv(timeout=5))["event"] == "pong"


def admin(settings: Settings, log: Path) -> None:
    """Readiness, then a look at dead letters as root."""
    url = f"http://{settings['HOIST_LISTEN']}"
    _get(f"{url}/readyz")
    authorization = {"Authorization": f"Bearer {_token(settings, 'root')}"}
    _get(f"{url}/admin/dlq?groups=upload-basic&limit=1", headers=authorization)


def worker(settings: Settings, log: Path) -> None:
    """It says that it polls; whether it keeps up is for lag to tell."""
    assert READY_LINE in log.read_text(), "not polling yet"


def metrics(settings: Settings, log: Path) -> None:
    """It has measured, and tells."""
    with urllib.request.urlopen(
        f"http://{settings['HOIST_METRICS_LISTEN']}/metrics", timeout=5
    ) as answer:
        assert b"hoist_consumer_lag{" in answer.read(), "nothing measured yet"


def faults(settings: Settings, log: Path) -> None:
    """It tells its targets, and the line before the first is open."""
    state = _get(f"{settings['FAULTS_URL']}/proxies")
    with socket.create_connection(("127.0.0.1", state["redis"]["listen"]), timeout=2):
        pass


def of(name: str) -> Callable[[Settings, Path], None]:
    """The probe of the service called *name*."""
    named = {
        "faults": faults,
        "kafka": kafka,
        "dynamodb": dynamodb,
        "postgres": postgres,
        "localstack": localstack,
        "redis": redis_server,
        "issuer": issuer,
        "metrics": metrics,
        "admin": admin,
    }
    return named.get(name) or (gateway if name.startswith("gateway-") else worker)


def _token(settings: Settings, user: str) -> str:
    login = {"grant_type": "password", "client_id": "hoist-cli", "username": user, "password": user}
    return str(_get(settings["HOIST_ISSUER"] + "oauth/token", login)["access_token"])


def _get(url: str, form: dict[str, str] | None = None, headers: Settings | None = None) -> Any:
    data = json.dumps(form).encode() if form else None
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, sent)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except HTTPError as error:
        raise AssertionError(f"{url}: {error.code} {error.read()[:300]!r}") from error
