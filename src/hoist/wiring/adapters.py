"""Which adapter stands behind each port: the only module that names concrete ones.

Nothing here connects before its first use, so a process pays only for what it touches.
"""

from __future__ import annotations

import time
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from hoist.adapters import (
    apigateway,
    aws,
    dynamodb,
    kafka,
    rate_limits,
    redis_client,
    redis_registry,
    redis_state,
    redis_stream,
    redis_uploads,
    s3,
    s3_parts,
    sigv4,
)
from hoist.adapters.jwt import JwtVerifier
from hoist.adapters.tier_file import TierFile
from hoist.config import Settings
from hoist.domain.errors import Unavailable
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.volatile import Connection, EventStream


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Adapters:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = now_ms

    @cached_property
    def policy(self) -> TierFile:
        default = resources.files("hoist") / "tiers.json"
        return TierFile(Path(self.settings.tiers_file or str(default)), self.clock)

    @cached_property
    def store(self) -> dynamodb.DynamoMetadata:
        return dynamodb.DynamoMetadata(aws.client("dynamodb"), self.settings.table)

    @cached_property
    def objects(self) -> s3.S3Objects:
        return s3.S3Objects(self._s3, self._signer, self.settings.bucket, self.clock)

    @cached_property
    def parts(self) -> s3_parts.S3Parts:
        patient = aws.client("s3", read_seconds=300)
        bucket = self.settings.bucket
        return s3_parts.S3Parts(self._s3, patient, self._signer, bucket, self.clock)

    @cached_property
    def log(self) -> kafka.KafkaLog:
        return kafka.KafkaLog(self.settings.kafka_bootstrap)

    @cached_property
    def cache(self) -> redis_state.RedisListCache:
        return redis_state.RedisListCache(self._redis, self._guard)

    @cached_property
    def answers(self) -> redis_state.RedisAnswers:
        return redis_state.RedisAnswers(self._redis, self._guard)

    @cached_property
    def leases(self) -> redis_uploads.RedisLeases:
        return redis_uploads.RedisLeases(self._redis, self._guard, self.clock)

    @cached_property
    def limiter(self) -> rate_limits.LimitsRateLimiter:
        return rate_limits.LimitsRateLimiter(self.settings.redis_url, self._guard)

    @cached_property
    def board(self) -> redis_uploads.RedisProgressBoard:
        return redis_uploads.RedisProgressBoard(self._redis, self._guard)

    @cached_property
    def lanes(self) -> redis_uploads.RedisLanes:
        return redis_uploads.RedisLanes(self._redis, self._guard)

    @cached_property
    def connections(self) -> redis_registry.RedisConnections:
        return redis_registry.RedisConnections(self._redis, self._guard)

    @cached_property
    def tickets(self) -> redis_registry.RedisTickets:
        return redis_registry.RedisTickets(self._redis)

    @cached_property
    def events(self) -> EventStream:
        stream = redis_stream.RedisEvents(self._redis, self._guard)
        if not self.settings.push:
            return stream
        stage = apigateway.client(self.settings.push)
        return apigateway.ApiGatewayEvents(stream, self.connections, stage)

    @cached_property
    def feed(self) -> redis_stream.EventFeed:
        return redis_stream.EventFeed(self._redis)

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
    def sqs(self) -> Any:
        return aws.client("sqs")

    def consumer(self, topic: str, group: str) -> Any:
        return kafka.consumer(self.settings.kafka_bootstrap, group, topic)

    def management_of(self, connection: Connection) -> Any:
        """The management API of the gateway that holds *connection*."""
        return apigateway.client(connection.gateway_url)

    def ready(self) -> dict[str, str]:
        """Each dependency that requests need, with ``ok`` or why not."""
        checks = {
            "log": lambda: self.log.ready(self.settings.topic_prefix + METADATA_TOPIC),
            "store": self.store.ready,
            "objects": self.objects.ready,
            "issuer": self.verifier.ready,
        }
        told = {}
        for name, check in checks.items():
            try:
                check()
                told[name] = "ok"
            except Unavailable as error:
                told[name] = str(error)
        return told

    def close(self) -> None:
        self.log.close()

    @cached_property
    def _s3(self) -> Any:
        return aws.client("s3")

    @cached_property
    def _signer(self) -> Any:
        return aws.client("s3", self.settings.s3_public_endpoint)

    @cached_property
    def _redis(self) -> Any:
        return redis_client.client(self.settings.redis_url)

    @cached_property
    def _guard(self) -> redis_client.Guard:
        return redis_client.Guard()
