"""Which adapter stands behind each port: the only module that names concrete ones.

Nothing here connects before its first use, so a process pays only for what it touches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from hoist.adapters import apigateway, aws, dynamodb, kafka, redis_state, redis_stream, s3, sigv4
from hoist.adapters.jwt import JwtVerifier
from hoist.config import Settings
from hoist.domain.errors import Unavailable
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.policy import Policy
from hoist.domain.ports import Connection, EventStream
from hoist.pipeline.completion import CompleteUploads
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.files import Files
from hoist.pipeline.ingest import Ingest
from hoist.pipeline.janitor import SettlePending
from hoist.pipeline.metadata_handler import ApplyMetadata
from hoist.pipeline.upload_handler import GrantUploads


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@cache
def services() -> Services:
    """This process's services, from its environment."""
    return Services(Settings.from_env(os.environ))


class Services:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = now_ms

    @cached_property
    def policy(self) -> Callable[[], Policy]:
        path = self.settings.tiers_file
        text = (
            Path(path).read_text()
            if path
            else (resources.files("hoist") / "tiers.json").read_text()
        )
        policy = Policy.from_json(text)
        return lambda: policy

    # Steps

    @cached_property
    def ingest(self) -> Ingest:
        prefix = self.settings.topic_prefix
        return Ingest(self.log, self.answers, self.policy, self.clock, prefix)

    @cached_property
    def grant_uploads(self) -> GrantUploads:
        return GrantUploads(
            policy=self.policy,
            store=self.store,
            objects=self.objects,
            log=self.log,
            answers=self.answers,
            events=self.events,
            clock=self.clock,
            grace_seconds=self.settings.grace_seconds,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def apply_metadata(self) -> ApplyMetadata:
        return ApplyMetadata(self.store, self.cache, self.events, self.clock)

    @cached_property
    def complete_uploads(self) -> CompleteUploads:
        return CompleteUploads(self.answers, self.store, self.log, self.settings.topic_prefix)

    @cached_property
    def files(self) -> Files:
        return Files(
            store=self.store,
            objects=self.objects,
            cache=self.cache,
            answers=self.answers,
            policy=self.policy,
            clock=self.clock,
            cursor_secret=self.settings.cursor_secret,
        )

    @cached_property
    def settle_pending(self) -> SettlePending:
        prefix = self.settings.topic_prefix
        return SettlePending(self.store, self.objects, self.log, self.clock, prefix)

    def delivery(self, group: str) -> Delivery:
        return Delivery(self.log, group, self.clock, self.settings.topic_prefix)

    # Ports

    @cached_property
    def store(self) -> dynamodb.DynamoMetadata:
        return dynamodb.DynamoMetadata(aws.client("dynamodb"), self.settings.table)

    @cached_property
    def objects(self) -> s3.S3Objects:
        signer = aws.client("s3", self.settings.s3_public_endpoint)
        return s3.S3Objects(aws.client("s3"), signer, self.settings.bucket, self.clock)

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
    def connections(self) -> redis_state.RedisConnections:
        return redis_state.RedisConnections(self._redis, self._guard)

    @cached_property
    def tickets(self) -> redis_state.RedisTickets:
        return redis_state.RedisTickets(self._redis)

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
        return JwtVerifier(settings.issuer, settings.audience, settings.roles_claim, self.clock)

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
    def _redis(self) -> Any:
        return redis_state.client(self.settings.redis_url)

    @cached_property
    def _guard(self) -> redis_state.Guard:
        return redis_state.Guard()
