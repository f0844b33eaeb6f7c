"""The stack in containers has the services, settings and ports of the native one."""

from pathlib import Path

import yaml

from emulation.native.ports import Ports, settings
from emulation.native.services import ADMIN, GATEWAYS, WORKERS
from hoist.config import Settings

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
ONLY_OUTSIDE = {
    "HOIST_URL",
    "HOIST_TIERS_FILE",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_REGION",
}


def test_every_process_of_ours_is_there():
    assert {*GATEWAYS, ADMIN, *WORKERS} <= SERVICES.keys()
    assert SERVICES[ADMIN]["command"] == "python -m hoist.admin"
    for name in WORKERS:
        assert SERVICES[name]["command"] == f"python -m hoist.workers {name}"


def test_settings_are_known_and_none_is_missing(tmp_path):
    for name in (*GATEWAYS, ADMIN, *WORKERS):
        given = SERVICES[name]["environment"]
        Settings.from_env(given)
        assert settings(Ports(4500), tmp_path).keys() - given.keys() <= ONLY_OUTSIDE


def test_published_ports_are_those_of_the_native_stack():
    for name in (*GATEWAYS, ADMIN, "issuer", "metrics", "localstack", "redis"):
        [published] = SERVICES[name]["ports"]
        assert published.startswith(f"127.0.0.1:{Ports(4500)[name]}:")


def test_no_image_floats():
    for service in SERVICES.values():
        assert not service["image"].endswith(":latest")
        assert ":" in service["image"]
