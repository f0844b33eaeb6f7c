"""Which adapter stands behind each port of what must last.

Nothing here connects before its first use, so a process pays only for what it touches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from hoist.adapters import (
    apigateway,
    aws,
    aws_json,
    cloudwatch,
    dynamodb,
    kafka,
    kafka_lag,
    kafka_reader,
    s3,
    s3_archives,
    s3_parts,
    sigv4,
    sql,
    sql_database,
    sqs,
)
from hoist.adapters.jwt import JwtVerifier
from hoist.adapters.s3_signer import S3Signer
from hoist.adapters.tier_file import TierFile
from hoist.config import Settings
from hoist.domain.archives import PREFIX
from hoist.domain.errors import Unavailable
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.volatile import Connection
from hoist.wiring.volatile import Volatile

PATIENCE_SECONDS = 8  # for one answer of store or storage
Store = dynamodb.DynamoMetadata | sql.SqlMetadata


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Adapters(Volatile):
    def __init__(self, settings: Settings, patience_seconds: int = PATIENCE_SECONDS) -> None:
        super().__init__(settings, now_ms)
        self._patience_seconds = patience_seconds

    @cached_property
    def policy(self) -> TierFile:
        default = resources.files("hoist") / "tiers.json"
        return TierFile(Path(self.settings.tiers_file or str(default)), self.clock)

    @cached_property
    def store(self) -> Store:
        return self.store_at(self.settings.store)

    def store_at(self, url: str) -> Store:
        """The store that HOIST_STORE=*url* would name."""
        scheme, _, place = url.partition("://")
        if scheme == "dynamodb":
            client = aws.client("dynamodb", read_seconds=self._patience_seconds)
            return dynamodb.DynamoMetadata(client, place)
        return sql.SqlMetadata(sql_database.connect(url, patience_seconds=self._patience_seconds))

    def new_store_at(self, url: str) -> Store:
        """The same, with its tables made when they are SQL. Raises ``Unavailable``."""
        store = self.store_at(url)
        if isinstance(store, sql.SqlMetadata):
            store.migrate()
        store.ready()
        return store

    def migrate(self) -> list[str]:
        """What was done to bring the store's tables up to date; nothing ever for DynamoDB."""
        store = self.store
        return store.migrate() if isinstance(store, sql.SqlMetadata) else []

    @cached_property
    def objects(self) -> s3.S3Objects:
        return s3.S3Objects(self._s3, self._signer, self.settings.bucket, self.clock)

    @cached_property
    def parts(self) -> s3_parts.S3Parts:
        bucket = self.settings.bucket
        return s3_parts.S3Parts(self._s3, self._patient_s3, self._signer, bucket, self.clock)

    @cached_property
    def archive_store(self) -> s3_archives.S3Archives:
        bucket = self.settings.bucket
        return s3_archives.S3Archives(self._s3, self._patient_s3, self._signer, bucket)

    @cached_property
    def archive_inventory(self) -> s3_parts.S3Parts:
        bucket, prefix = self.settings.bucket, PREFIX
        return s3_parts.S3Parts(
            self._s3, self._patient_s3, self._signer, bucket, self.clock, prefix
        )

    @cached_property
    def log(self) -> kafka.KafkaLog:
        return kafka.KafkaLog(self.settings.kafka_bootstrap)

    def open_log(self) -> kafka_reader.KafkaReader:
        """A reader that begins with the log's beginning."""
        return kafka_reader.KafkaReader(self.settings.kafka_bootstrap)

    @cached_property
    def topic_reader(self) -> kafka_reader.KafkaTopicReader:
        return kafka_reader.KafkaTopicReader(self.settings.kafka_bootstrap)

    @cached_property
    def log_watch(self) -> kafka_lag.KafkaWatch:
        return kafka_lag.KafkaWatch(self.settings.kafka_bootstrap)

    @cached_property
    def metric_store(self) -> cloudwatch.CloudWatch:
        return cloudwatch.CloudWatch(aws.client("cloudwatch"))

    @cached_property
    def verifier(self) -> JwtVerifier:
        settings = self.settings
        return JwtVerifier(
            settings.issuer,
            settings.audience,
            settings.roles_claim,
            self.clock,
            lambda roles: self.policy().tier_of(roles),
        )

    @cached_property
    def sigv4_verify(self) -> sigv4.SigV4Verifier:
        return sigv4.SigV4Verifier(aws.credentials, self.clock)

    @cached_property
    def sqs(self) -> aws_json.JsonCalls:
        return aws_json.JsonCalls(aws.client("sqs"))

    def queue_letters(self) -> int:
        """About how many of the bucket's events were given up. Raises ``Unavailable``."""
        return sqs.dead_letters(self.sqs, self.settings.bucket_events_queue)

    def consumer(self, *, group: str, work_seconds_max: int) -> Any:
        servers = self.settings.kafka_bootstrap
        return kafka.consumer(servers, group=group, work_seconds_max=work_seconds_max)

    def management_of(self, connection: Connection) -> Any:
        """The management API of the gateway that holds *connection*."""
        return apigateway.client(connection.gateway_url)

    def ready(self) -> dict[str, str]:
        """Each dependency that requests need, with ``ok`` or why not."""
        told = {}
        for name, check in {**self._behind_the_log(), "issuer": self.verifier.ready}.items():
            try:
                check()
                told[name] = "ok"
            except Unavailable as error:
                told[name] = str(error)
        return told

    def is_up(self) -> bool:
        """Whether everything answers that the steps behind the log need."""
        try:
            for check in self._behind_the_log().values():
                check()
        except Unavailable:
            return False
        return True

    def _behind_the_log(self) -> dict[str, Callable[[], None]]:
        return {
            "log": lambda: self.log.ready(self.settings.topic_prefix + METADATA_TOPIC),
            "store": self.store.ready,
            "objects": self.objects.ready,
        }

    def close(self) -> None:
        self.log.close()
        self.log_watch.close()

    @cached_property
    def _s3(self) -> Any:
        return aws.client("s3", read_seconds=self._patience_seconds)

    @cached_property
    def _patient_s3(self) -> Any:
        return aws.client("s3", read_seconds=300)

    @cached_property
    def _signer(self) -> S3Signer:
        client = aws.client("s3", self.settings.s3_public_endpoint)
        return S3Signer(client, aws.own_credentials, self.settings.bucket)
