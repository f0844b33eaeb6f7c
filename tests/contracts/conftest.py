"""Real adapters on the running engines, each with a table, a bucket and a topic of its own."""

import secrets

import boto3
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from hoist.adapters import (
    aws,
    kafka,
    rate_limits,
    redis_client,
    redis_state,
    redis_stream,
    redis_uploads,
    s3,
    s3_parts,
)
from hoist.adapters.redis_registry import RedisConnections, RedisTickets
from hoist.adapters.s3_signer import S3Signer
from hoist.domain.model import FileFacts, FileRecord, Status, file_id
from tests.contracts.stores import (  # noqa: F401
    dynamodb_client,
    dynamodb_many,
    dynamodb_store,
    empty_postgres,
    empty_sqlite,
    fresh_postgres,
    fresh_sqlite,
    memory_store,
    ministack_store,
    postgres_many,
    postgres_server,
    postgres_store,
    sqlite_many,
    sqlite_store,
    table,
)
from tests.doubles import (
    Clock,
    MemoryAnswers,
    MemoryBoard,
    MemoryCache,
    MemoryConnections,
    MemoryEvents,
    MemoryLanes,
    MemoryLeases,
    MemoryLimiter,
    MemoryLog,
    MemoryTickets,
)

FACTS = FileFacts("a.txt", 3, "text/plain")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def user():
    """Somebody nobody has seen, with an id as Auth0 gives it."""
    return f"auth0|ada-{secrets.token_hex(6)}"


@pytest.fixture
def record(user):
    """Makes records of *user*: ``record("m-1", status=..., version=...)``."""

    def make(message_id, *, of=user, facts=FACTS, **changes):
        members = {
            "status": Status.PENDING,
            "created_at_ms": 1_800_000_000_000,
            "settle_after_ms": 1_800_000_900_000,
        }
        return FileRecord(
            user_id=of,
            file_id=file_id(of, message_id),
            message_id=message_id,
            file=facts,
            **members | changes,
        )

    return make


@pytest.fixture(scope="session")
def as_process(engines):
    """The environment that boto3 reads in a process of ours."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in engines.settings.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        boto3.setup_default_session()
        yield engines.settings
    boto3.setup_default_session()


@pytest.fixture(scope="session")
def s3_client(as_process):
    return aws.client("s3")


@pytest.fixture(scope="session")
def bucket(s3_client, as_process):
    name = f"contracts-{secrets.token_hex(4)}"
    place = {"LocationConstraint": as_process["AWS_DEFAULT_REGION"]}
    s3_client.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    return name


@pytest.fixture(scope="session")
def s3_signer(s3_client, bucket):
    return S3Signer(s3_client, aws.own_credentials, bucket)


@pytest.fixture
def objects(s3_client, s3_signer, bucket, clock):
    return s3.S3Objects(s3_client, s3_signer, bucket, clock)


@pytest.fixture(scope="session")
def redis(engines):
    client = redis_client.client(engines.settings["HOIST_REDIS_URL"])
    yield client
    client.close()


@pytest.fixture(scope="session")
def absent_redis(unused_port):
    client = redis_client.client(f"redis://127.0.0.1:{unused_port}/0")
    yield client
    client.close()


@pytest.fixture(scope="session")
def unused_port():
    """A port where nobody listens: 1 is reserved, and needs privileges."""
    return 1


@pytest.fixture
def guard():
    return redis_client.Guard()


@pytest.fixture
def memory_cache():
    return MemoryCache()


@pytest.fixture
def redis_cache(redis, guard):
    return redis_state.RedisListCache(redis, guard)


@pytest.fixture
def memory_answers():
    return MemoryAnswers()


@pytest.fixture
def redis_answers(redis, guard):
    return redis_state.RedisAnswers(redis, guard)


@pytest.fixture
def memory_events():
    return MemoryEvents()


@pytest.fixture
def redis_events(redis, guard):
    return redis_stream.RedisEvents(redis, guard)


@pytest.fixture
def memory_connections(clock):
    return MemoryConnections(clock)


@pytest.fixture
def redis_connections(redis, guard, clock):
    return RedisConnections(redis, guard, clock)


@pytest.fixture
def memory_tickets(clock):
    return MemoryTickets(clock)


@pytest.fixture
def redis_tickets(redis):
    return RedisTickets(redis)


@pytest.fixture
def parts(s3_client, s3_signer, bucket, clock):
    return s3_parts.S3Parts(s3_client, s3_client, s3_signer, bucket, clock)


@pytest.fixture
def memory_leases(clock):
    return MemoryLeases(clock)


@pytest.fixture
def redis_leases(redis, guard, clock):
    return redis_uploads.RedisLeases(redis, guard, clock)


@pytest.fixture
def memory_board():
    return MemoryBoard()


@pytest.fixture
def redis_board(redis, guard):
    return redis_uploads.RedisProgressBoard(redis, guard)


@pytest.fixture
def memory_lanes():
    return MemoryLanes()


@pytest.fixture
def redis_lanes(redis, guard):
    return redis_uploads.RedisLanes(redis, guard)


@pytest.fixture
def memory_limiter(clock):
    return MemoryLimiter(clock)


@pytest.fixture
def redis_limiter(redis, guard):
    return rate_limits.LimitsRateLimiter(redis, guard)


@pytest.fixture(scope="session")
def bootstrap(engines):
    return engines.settings["HOIST_KAFKA_BOOTSTRAP"]


@pytest.fixture(scope="session")
def topic(bootstrap):
    name = f"contracts-{secrets.token_hex(4)}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(name, 4, 1)])
    finally:
        admin.close()
    return name


@pytest.fixture
def memory_log():
    return MemoryLog()


@pytest.fixture(scope="session")
def kafka_log(bootstrap):
    log = kafka.KafkaLog(bootstrap)
    yield log
    log.close()
