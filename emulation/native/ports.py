"""Where each service listens, and the settings that tell the others. One base moves everything."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

PORT_BASE_DEFAULT = 4500
PORT_BASE_MIN, PORT_BASE_MAX = 1024, 65535 - 93


@dataclass(frozen=True)
class Ports:
    """Offsets are chosen so that the default base gives LocalStack its usual 4566."""

    base: int

    @property
    def by_name(self) -> dict[str, int]:
        offsets = {
            "gateway-a": 0,
            "gateway-b": 1,
            "issuer": 3,
            "localstack": 66,
            "redis": 79,
            "dynamodb": 80,
            "kafka": 92,
            "kafka-controller": 93,
        }
        return {name: self.base + offset for name, offset in offsets.items()}

    def __getitem__(self, name: str) -> int:
        return self.by_name[name]


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


def stack_dir() -> Path:
    return Path(os.environ.get("STACK_DIR", ".stack")).resolve()


def settings(ports: Ports, directory: Path) -> dict[str, str]:
    """The environment of every process of ours, and of anyone who wants to talk to the stack."""
    gateways = [f"http://127.0.0.1:{ports[name]}" for name in ("gateway-a", "gateway-b")]
    origins = gateways + [url.replace("127.0.0.1", "localhost") for url in gateways]
    return {
        "HOIST_KAFKA_BOOTSTRAP": f"127.0.0.1:{ports['kafka']}",
        "HOIST_REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
        "HOIST_BUCKET": "hoist-files",
        "HOIST_TABLE": "hoist-files",
        "HOIST_BUCKET_EVENTS_QUEUE": "hoist-bucket-events",
        "HOIST_ISSUER": f"http://127.0.0.1:{ports['issuer']}/",
        "HOIST_AUDIENCE": "https://api.hoist.local",
        "HOIST_ROLES_CLAIM": "https://hoist.local/roles",
        "HOIST_CURSOR_SECRET": _cursor_secret(directory),
        "HOIST_ORIGINS": ",".join(origins),
        "HOIST_TIERS_FILE": str(directory / "tiers.json"),
        "HOIST_URL": ",".join(gateways),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['localstack']}",
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{ports['dynamodb']}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _cursor_secret(directory: Path) -> str:
    """Made once per stack, so that cursors survive a restart and are worth nothing elsewhere."""
    path = directory / "cursor-secret"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()
