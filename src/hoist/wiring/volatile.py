"""Which adapter stands behind each port of what may be lost."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from hoist.adapters import (
    apigateway,
    rate_limits,
    redis_client,
    redis_registry,
    redis_state,
    redis_stream,
    redis_uploads,
)
from hoist.config import Settings
from hoist.domain.ports import Clock
from hoist.domain.volatile import EventStream


class Volatile:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock

    @cached_property
    def cache(self) -> redis_state.RedisListCache:
        return redis_state.RedisListCache(self._redis, self._guard)

    @cached_property
    def kept_pages(self) -> redis_state.RedisKeptPages:
        return redis_state.RedisKeptPages(self._redis)

    @cached_property
    def answers(self) -> redis_state.RedisAnswers:
        return redis_state.RedisAnswers(self._redis, self._guard)

    @cached_property
    def leases(self) -> redis_uploads.RedisLeases:
        return redis_uploads.RedisLeases(self._redis, self._guard, self.clock)

    @cached_property
    def limiter(self) -> rate_limits.LimitsRateLimiter:
        return rate_limits.LimitsRateLimiter(self._redis, self._guard)

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
    def _redis(self) -> Any:
        return redis_client.client(self.settings.redis_url)

    @cached_property
    def _guard(self) -> redis_client.Guard:
        return redis_client.Guard()
