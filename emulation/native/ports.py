"""Where each service listens, and the settings that tell the others. One base moves everything.

Which store there is, is chosen here as well: the services and settings follow from it. So is
whether everybody goes through proxies that do faults on purpose (``emulation.faults``).
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

PORT_BASE_DEFAULT = 4500
PORT_BASE_MIN, PORT_BASE_MAX = 1024, 65535 - 93
STORES = ("dynamodb", "postgres", "sqlite")
STORE_DEFAULT = "dynamodb"
OVERRIDES = "overrides.json"
# What has a proxy before it in a faulty stack, and how far that is from the base.
PROXIES = {
    "gateway-a": 11,
    "gateway-b": 12,
    "issuer": 13,
    "store": 14,
    "s3": 15,
    "sqs": 16,  # and all else of AWS
    "redis": 17,
    "kafka": 18,
}


@dataclass(frozen=True)
class Ports:
    """Offsets are chosen so that the default base gives LocalStack its usual 4566.

    PostgreSQL's 4532 ends as its usual 5432 does. Only the chosen store has a port, SQLite none.
    """

    base: int
    store: str = STORE_DEFAULT
    is_faulty: bool = False

    @property
    def by_name(self) -> dict[str, int]:
        offsets = {
            "gateway-a": 0,
            "gateway-b": 1,
            "admin": 2,
            "issuer": 3,
            "metrics": 4,
            "postgres": 32,
            "localstack": 66,
            "redis": 79,
            "dynamodb": 80,
            "kafka": 92,
            "kafka-controller": 93,
        }
        if self.is_faulty:
            # A broker tells its clients where to find it: those of the proxy find another listener.
            offsets |= {"faults": 10, "kafka-behind": 19}
            offsets |= {f"faults-{target}": PROXIES[target] for target in self.behind}
        others = {name for name in STORES if name != self.store}
        return {name: self.base + offset for name, offset in offsets.items() if name not in others}

    def __getitem__(self, name: str) -> int:
        return self.by_name[name]

    @property
    def behind(self) -> dict[str, str]:
        """What each proxy of a faulty stack stands before."""
        places = {"store": self.store, "s3": "localstack", "sqs": "localstack"}
        places["kafka"] = "kafka-behind" if self.is_faulty else "kafka"
        targets = [name for name in PROXIES if (name, self.store) != ("store", "sqlite")]
        return {target: places.get(target, target) for target in targets}

    def seen(self, target: str) -> int:
        """Where our processes and clients find *target*."""
        return self[f"faults-{target}" if self.is_faulty else self.behind[target]]

    @property
    def direct(self) -> Ports:
        """The same, past the proxies."""
        return replace(self, is_faulty=False)


def port_base() -> int:
    return given_port_base() or PORT_BASE_DEFAULT


def given_port_base() -> int | None:
    """What the caller asked for, if anything. Raises ``ValueError`` with a sentence for people."""
    given = os.environ.get("STACK_PORT_BASE", "").strip()
    if not given:
        return None
    if not given.isdecimal() or not PORT_BASE_MIN <= int(given) <= PORT_BASE_MAX:
        limits = f"{PORT_BASE_MIN} to {PORT_BASE_MAX}"
        raise ValueError(f"PORT_BASE must be a whole number from {limits}, and is {given!r}")
    return int(given)


def store() -> str:
    return given_store() or STORE_DEFAULT


def given_store() -> str | None:
    """What the caller asked for, if anything. Raises ``ValueError`` with a sentence for people."""
    given = os.environ.get("STACK_STORE", "").strip()
    if given and given not in STORES:
        raise ValueError(
            f"STORE must be {', '.join(STORES[:-1])} or {STORES[-1]}, and is {given!r}"
        )
    return given or None


def is_faulty() -> bool:
    """Told to the supervisor only: ``Stack(…, faulty=True)`` is the way to ask for it."""
    return bool(os.environ.get("STACK_FAULTY"))


def is_skewable() -> bool:
    """The same of ``skewable=True``."""
    return bool(os.environ.get("STACK_SKEWABLE"))


def stack_dir() -> Path:
    return Path(os.environ.get("STACK_DIR", ".stack")).resolve()


def settings(ports: Ports, directory: Path) -> dict[str, str]:
    """The environment of every process of ours, and of anyone who wants to talk to the stack."""
    gateways = [f"http://127.0.0.1:{ports.seen(name)}" for name in ("gateway-a", "gateway-b")]
    origins = gateways + [url.replace("127.0.0.1", "localhost") for url in gateways]
    return {
        "HOIST_KAFKA_BOOTSTRAP": f"127.0.0.1:{ports.seen('kafka')}",
        "HOIST_REDIS_URL": f"redis://127.0.0.1:{ports.seen('redis')}/0",
        "HOIST_BUCKET": "hoist-files",
        **_store(ports, directory),
        "HOIST_BUCKET_EVENTS_QUEUE": "hoist-bucket-events",
        "HOIST_ISSUER": f"http://127.0.0.1:{ports.seen('issuer')}/",
        "HOIST_AUDIENCE": "https://api.hoist.local",
        "HOIST_ROLES_CLAIM": "https://hoist.local/roles",
        "HOIST_CURSOR_SECRET": secret(directory, "cursor-secret"),
        "HOIST_ORIGINS": ",".join(origins),
        "HOIST_TIERS_FILE": str(directory / "tiers.json"),
        "HOIST_URL": ",".join(gateways),
        # As on MSK, which keeps these numbers itself; AWS takes them from nobody else.
        "HOIST_METRICS_NAMESPACE": "AWS/Kafka",
        **_aws(ports),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **overrides(directory),
    }


def overrides(directory: Path) -> dict[str, str]:
    """What who started the stack wants otherwise."""
    path = directory / OVERRIDES
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _aws(ports: Ports) -> dict[str, str]:
    endpoints = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports.seen('sqs')}"}
    if ports.is_faulty:
        endpoints["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{ports.seen('s3')}"
    return endpoints


def _store(ports: Ports, directory: Path) -> dict[str, str]:
    if ports.store == "sqlite":
        return {"HOIST_STORE": f"sqlite:///{directory / 'sqlite' / 'hoist.db'}"}
    if ports.store == "postgres":
        login = f"hoist:{secret(directory, 'postgres-password')}"
        return {"HOIST_STORE": f"postgresql://{login}@127.0.0.1:{ports.seen('store')}/hoist"}
    endpoint = f"http://127.0.0.1:{ports.seen('store')}"
    return {"HOIST_STORE": "dynamodb://hoist-files", "AWS_ENDPOINT_URL_DYNAMODB": endpoint}


def secret(directory: Path, name: str) -> str:
    """Made once per stack, so that it survives a restart and is worth nothing elsewhere."""
    path = directory / name
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()
