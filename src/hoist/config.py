"""Settings, read once from the environment. An unknown HOIST_ name is refused."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

STORE = re.compile(r"dynamodb://[\w.-]{3,255}|sqlite:///(?!:).+|postgresql://[^/]+/[^/]+")


STORE_FORMS = "dynamodb://TABLE, sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting as HOIST_<NAME>. AWS endpoints and credentials are boto3's own variables."""

    kafka_bootstrap: str
    redis_url: str
    bucket: str
    store: str  # dynamodb://table, sqlite:///path or postgresql://user:password@host:port/database
    bucket_events_queue: str
    issuer: str
    audience: str
    cursor_secret: str
    roles_claim: str = "https://hoist.local/roles"
    origins: str = ""  # browsers' origins that may open sockets, comma separated
    s3_public_endpoint: str = ""  # what clients can reach, where it differs from AWS_ENDPOINT_URL
    tiers_file: str = ""  # replaces src/hoist/tiers.json
    push: str = ""  # https://… of an API Gateway stage; empty: our own gateways, through Redis
    topic_prefix: str = ""
    listen: str = "127.0.0.1:4500"
    gateway_id: str = socket.gethostname()
    gateway_url: str = "http://127.0.0.1:4500"
    public_url: str = ""  # what links begin with; empty: as the request that made them came
    janitor_seconds: int = 15
    grace_seconds: int = 30  # after a URL's end, before the janitor looks
    socket_idle_seconds: int = 600  # without a frame, before a socket is closed
    socket_age_seconds: int = 7200  # before a socket is closed, whatever it does
    metrics_listen: str = "127.0.0.1:4504"  # /metrics of the metrics worker
    metrics_seconds: int = 10  # between two looks at the lag
    metrics_namespace: str = "Hoist"  # of the numbers that MSK has as well; empty: no CloudWatch
    log_level: str = "INFO"
    url: str = ""  # for clients only: the gateways, comma separated

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Raises ``SystemExit`` naming what is unknown, missing or makes no sense."""
        given = {
            name.removeprefix("HOIST_").lower(): value
            for name, value in environ.items()
            if name.startswith("HOIST_")
        }
        known = {field.name: field for field in fields(cls)}
        if unknown := given.keys() - known.keys():
            raise SystemExit(f"unknown setting: {_names(unknown)} (see docs/settings.md)")
        required = [name for name in list(known)[:8] if name not in given]
        if required:
            raise SystemExit(
                f"missing setting: {_names(required)}; "
                'the local stack\'s are set by: eval "$(make status O=env)"'
            )
        for name, value in given.items():
            if name.endswith("_seconds") and not value.isdigit():
                raise SystemExit(f"{_names([name])} is a whole number of seconds")
        if not STORE.fullmatch(given["store"]):
            # It is not repeated: a password may be in it.
            raise SystemExit(f"HOIST_STORE is {STORE_FORMS}")
        typed: dict[str, Any] = {
            n: int(v) if n.endswith("_seconds") else v for n, v in given.items()
        }
        return cls(**typed)


def _names(names: object) -> str:
    assert isinstance(names, set | list | frozenset)
    return ", ".join(f"HOIST_{name.upper()}" for name in sorted(names))
