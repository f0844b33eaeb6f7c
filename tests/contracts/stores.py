"""Every store there is, as fixtures; the engines are started as the stack starts them."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulation import ministack, provision
from emulation.native import engines as native_engines
from emulation.native import probes, services
from emulation.native.ports import Ports, settings
from hoist.adapters import aws, dynamodb
from hoist.adapters import dynamodb_items as items
from hoist.adapters.sql import SqlMetadata
from hoist.adapters.sql_database import connect
from tests.conftest import TEST_PORT_BASE
from tests.doubles import MemoryMetadata

PATIENCE_SECONDS = 60


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], log: Path, is_up: Callable[[], object]
) -> Iterator[None]:
    """*command*, once *is_up* raises nothing any more, and until the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=dict(env), stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                is_up()
                break
            except Exception as error:
                ended = process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise AssertionError(log.read_text()) from error
                time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL waits for nobody then
        process.wait(PATIENCE_SECONDS)


@pytest.fixture
def memory_store():
    return MemoryMetadata()


@pytest.fixture(scope="session")
def table(as_process):
    name = f"contracts-{secrets.token_hex(4)}"
    provision.create_table(as_process, name)
    return name


@pytest.fixture(scope="session")
def dynamodb_client(as_process):
    return aws.client("dynamodb")


@pytest.fixture
def dynamodb_store(dynamodb_client, table):
    return dynamodb.DynamoMetadata(dynamodb_client, table)


@pytest.fixture(scope="module")
def dynamodb_many(dynamodb_client, as_process):
    """A table of its own, and what puts thousands of rows into it: not as anybody else would."""
    name = f"many-{secrets.token_hex(4)}"
    provision.create_table(as_process, name)

    def fill(rows):
        for first in range(0, len(rows), 25):
            puts = [{"PutRequest": {"Item": items.item(row)}} for row in rows[first : first + 25]]
            told = dynamodb_client.batch_write_item(RequestItems={name: puts})
            assert not told["UnprocessedItems"]

    yield dynamodb.DynamoMetadata(dynamodb_client, name), fill
    dynamodb_client.delete_table(TableName=name)


@pytest.fixture(scope="module")
def sqlite_many(sqlite_store):
    return sqlite_store, lambda rows: sqlite_store.write([(row,) for row in rows])


@pytest.fixture(scope="module")
def postgres_many(postgres_store):
    return postgres_store, lambda rows: postgres_store.write([(row,) for row in rows])


@pytest.fixture(scope="session")
def ministack_store(as_process, tmp_path_factory):
    """The DynamoDB adapter on somebody else's idea of DynamoDB."""
    port, log = TEST_PORT_BASE + 67, tmp_path_factory.mktemp("ministack") / "log"
    told = as_process | {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"}
    env = ministack.environment(port, told["AWS_DEFAULT_REGION"])
    with running(ministack.command(), env, log, lambda: probes.dynamodb(told, log)):
        provision.create_table(told, "contracts")
        client = aws.client("dynamodb", told["AWS_ENDPOINT_URL_DYNAMODB"])
        yield dynamodb.DynamoMetadata(client, "contracts")


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'made-for-it' / 'store.db'}"
    return _provisioned(url)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    """The URL of a database that nobody has made yet."""
    directory = tmp_path_factory.mktemp("postgres")
    ports = Ports(TEST_PORT_BASE, "postgres")
    native_engines.install(["postgres"])
    service = services.postgres(ports, directory)
    subprocess.run(service.prepare, check=True, capture_output=True, env=dict(service.env))
    told, log = settings(ports, directory), directory / "log"
    with running(service.command, service.env, log, lambda: probes.postgres(told, log)):
        yield told["HOIST_STORE"]


@pytest.fixture(scope="session")
def postgres_store(postgres_server):
    store = _provisioned(postgres_server)
    yield store
    store.close()


@pytest.fixture
def empty_sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def empty_postgres(postgres_server):
    url = f"{postgres_server.rpartition('/')[0]}/empty-{secrets.token_hex(4)}"
    provision.create_database(url)
    return url


@pytest.fixture
def fresh_sqlite(empty_sqlite):
    provision.create_store({"HOIST_STORE": empty_sqlite})
    return empty_sqlite


@pytest.fixture
def fresh_postgres(empty_postgres):
    provision.create_store({"HOIST_STORE": empty_postgres})
    return empty_postgres


def _provisioned(url: str) -> SqlMetadata:
    provision.create_store({"HOIST_STORE": url})
    return SqlMetadata(connect(url))
