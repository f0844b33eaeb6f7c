"""API Gateway's management API: push to sockets that AWS, or another gateway of ours, holds.

IAM      execute-api:ManageConnections on the stage
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hoist.adapters.redis_stream import RedisEvents
from hoist.domain.volatile import Connection, Connections, Event

logger = logging.getLogger(__name__)


@lru_cache(maxsize=64)
def client(endpoint: str) -> Any:
    """The management API behind *endpoint*: an API Gateway stage, or one of our gateways."""
    # A session of its own: boto3's shared one may not build clients in two threads at once.
    return boto3.Session().client(
        "apigatewaymanagementapi",
        endpoint_url=endpoint,
        config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2}),
    )


class ApiGatewayEvents:
    """Numbers and keeps events in Redis, and pushes them through API Gateway."""

    def __init__(self, events: RedisEvents, connections: Connections, client: Any) -> None:
        self._events, self._connections, self._client = events, connections, client

    def publish(self, events: Sequence[Event]) -> None:
        for event, body in zip(events, self._events.numbered(events), strict=False):
            for connection in self._connections.of_user(event.user_id):
                if event.connection_id in (None, connection.connection_id):
                    self._post(connection, body)

    def since(self, user_id: str, n: int, *, limit: int = 100) -> list[dict[str, Any]]:
        return self._events.since(user_id, n, limit=limit)

    def _post(self, connection: Connection, body: dict[str, Any]) -> None:
        try:
            self._client.post_to_connection(
                ConnectionId=connection.connection_id, Data=json.dumps(body).encode()
            )
        except self._client.exceptions.GoneException:
            # $disconnect may never arrive (AWS-CONTRACTS section 1): this is how we learn of it.
            self._connections.remove(connection)
            logger.info("socket is gone", extra={"connectionId": connection.connection_id})
        except (ClientError, BotoCoreError) as error:
            # Told as lost, not raised: the event is in the stream, and the client asks again.
            logger.warning("push lost", extra={"reason": repr(error)})
