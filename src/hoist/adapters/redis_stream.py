"""Redis as the users' numbered event streams, and as the wire to the gateways that hold sockets.

Each user has a stream (kept for a day, a thousand events) and a channel of the same name. Numbers
come from the stream's own ids, so they grow even after Redis lost everything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import redis
from pydantic_core import from_json, to_json

from hoist.adapters.redis_client import Guard, in_one_trip
from hoist.domain.volatile import Event

logger = logging.getLogger(__name__)
KEPT_SECONDS, KEPT_EVENTS = 24 * 3600, 1000
SUBSCRIBE_SECONDS_MAX = 1.0
QUIET_SECONDS, SILENT_SECONDS = 3.0, 9.0  # before asking whether Redis is there; before giving up
NUMBER_MAX = 2**63
SEQUENCES = 1000  # events of one user within one millisecond that keep numbers of their own

# An event that is not kept is number 0: no client counts it.
PUBLISH = """
local id = '0-0'
if ARGV[5] == '1' then
  id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[2], 'c', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[1] .. ' ' .. ARGV[2])
return id
"""


class RedisEvents:
    def __init__(self, client: Any, guard: Guard) -> None:
        self._redis, self._guard = client, guard

    def publish(self, events: Sequence[Event]) -> None:
        self.numbered(events)

    def numbered(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """As ``publish``; returns the bodies with their ``n``, or none when Redis is away."""

        commands = []
        for event in events:
            about = (_stream(event.user_id), event.connection_id or "-", to_json(event.body))
            kept = (KEPT_EVENTS, KEPT_SECONDS, int(event.is_kept))
            commands.append(("EVAL", PUBLISH, 1, *about, *kept))
        nothing: list[bytes] = []
        ids = self._guard(lambda: in_one_trip(self._redis, commands), nothing) if commands else []
        pairs = zip(ids, events, strict=False)
        return [_numbered(event.body, _number(stream_id)) for stream_id, event in pairs]

    def since(self, user_id: str, n: int, *, limit: int = 100) -> list[dict[str, Any]]:
        if not 0 <= n < NUMBER_MAX:
            return []  # a client may ask for any number, Redis refuses those it cannot have given
        nothing: list[Any] = []
        rows = self._guard(
            lambda: list(self._redis.xrange(_stream(user_id), min=_after(n), count=limit)), nothing
        )
        return [{**from_json(fields[b"e"]), "n": _number(stream_id)} for stream_id, fields in rows]


class EventFeed:
    """What a gateway hears: the channels of the users who have sockets there.

    What was published while the connection was lost is read from the streams afterwards.
    """

    def __init__(
        self,
        client: Any,
        quiet_seconds: float = QUIET_SECONDS,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._redis = client
        self._quiet_seconds, self._silent_seconds = quiet_seconds, silent_seconds
        self._wanted: Counter[str] = Counter()
        self._since: dict[str, int] = {}  # a number before each channel's first event, by our clock
        self._heard: dict[str, int] = {}  # each channel's last number
        self._behind: set[str] = set()  # channels whose stream may hold what we did not hear
        self._confirmed: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._connection: Any = None
        self._stopping = threading.Event()

    def add(self, user_id: str) -> None:
        """Hear *user_id* from now on; returns when Redis confirmed it, or after a second."""
        channel = _stream(user_id)
        with self._lock:
            self._wanted[channel] += 1
            confirmed = self._confirmed.setdefault(channel, threading.Event())
            if self._wanted[channel] == 1:
                self._since[channel] = time.time_ns() // 1_000_000 * SEQUENCES
                self._send("SUBSCRIBE", channel)
        confirmed.wait(SUBSCRIBE_SECONDS_MAX)

    def remove(self, user_id: str) -> None:
        channel = _stream(user_id)
        with self._lock:
            self._wanted[channel] -= 1
            if self._wanted[channel] <= 0:
                del self._wanted[channel]
                del self._since[channel]
                self._heard.pop(channel, None)
                self._confirmed.pop(channel, None)
                self._send("UNSUBSCRIBE", channel)

    def run(self, deliver: Callable[[dict[str, Any]], None]) -> None:
        """Hand every event to *deliver* until ``stop``; reconnects by itself."""
        while not self._stopping.is_set():
            # Its connection alone: what a ``PubSub`` does with a message costs more than that.
            pubsub = self._redis.pubsub(push_handler_func=_as_it_is)
            try:
                pubsub.subscribe("hoist:feed")  # keeps the connection open with no users yet
                self._listen(pubsub.connection, deliver)
            except (redis.RedisError, OSError, ValueError, RuntimeError) as error:
                logger.warning("event feed lost", extra={"reason": repr(error)})
            finally:
                with self._lock:
                    self._connection = None  # the pool gives it to others
                    for confirmed in self._confirmed.values():
                        confirmed.clear()
                pubsub.close()
            self._stopping.wait(0.5)

    def stop(self) -> None:
        self._stopping.set()

    def _listen(self, connection: Any, deliver: Callable[[dict[str, Any]], None]) -> None:
        with self._lock:
            self._connection = connection
            self._behind = set(self._wanted)
            if self._wanted:
                self._send("SUBSCRIBE", *self._wanted)
        heard_at = time.monotonic()
        while not self._stopping.is_set():
            message = _next(connection, min(1.0, self._quiet_seconds))
            silent_seconds = time.monotonic() - heard_at
            if message:
                heard_at = time.monotonic()
                self._handle(message, deliver)
            elif silent_seconds > self._silent_seconds:
                raise redis.ConnectionError("not even a pong: the connection is dead")
            elif silent_seconds > self._quiet_seconds:
                with self._lock:
                    self._send("PING")

    def _handle(self, message: Any, deliver: Callable[[dict[str, Any]], None]) -> None:
        if message[0] not in (b"subscribe", b"message"):
            return
        channel = message[1].decode()
        if message[0] == b"message":
            stream_id, connection_id, text = message[2].split(b" ", 2)
            self._hand_over(channel, stream_id, connection_id, text, deliver)
            return
        since = self._heard.get(channel) or self._since.get(channel)
        if channel in self._behind and since:
            self._behind.discard(channel)
            for stream_id, fields in self._redis.xrange(channel, min=_after(since)):
                self._hand_over(channel, stream_id, fields[b"c"], fields[b"e"], deliver)
        if confirmed := self._confirmed.get(channel):
            confirmed.set()

    def _hand_over(
        self,
        channel: str,
        stream_id: bytes,
        connection_id: bytes,
        text: bytes,
        deliver: Callable[[dict[str, Any]], None],
    ) -> None:
        n = _number(stream_id)
        heard = self._heard.get(channel, 0)
        if 0 < n <= heard and not (n == heard and _is_shared(n)):
            return  # read from the stream already
        if n and channel in self._since:
            self._heard[channel] = n
        event = {
            "userId": channel.removeprefix("hoist:{").removesuffix("}:events"),
            "connectionId": None if connection_id == b"-" else connection_id.decode(),
            "body": _numbered(from_json(text), n),
        }
        try:
            deliver(event)
        except Exception:
            # One socket's trouble must not make a whole gateway deaf: this loop is its ear.
            logger.exception("event not delivered")

    def _send(self, verb: str, *channels: str) -> None:
        """Under the lock: two commands must not share a write. A lost one is sent on reconnect."""
        if self._connection is None:
            return
        try:
            self._connection.send_command(verb, *channels, check_health=False)
        except (redis.RedisError, OSError) as error:
            self._connection = None  # sent again, it would connect anew, and hear one user only
            logger.warning("subscription waits", extra={"reason": repr(error)})


def _next(connection: Any, seconds: float) -> Any:
    """The next push, as (kind, channel, what) or the answer to a ping; None after *seconds*."""
    try:
        return connection.read_response(
            timeout=seconds, disconnect_on_error=False, push_request=True
        )
    except redis.TimeoutError:
        return None


def _as_it_is(push: Any) -> Any:
    return push


def _numbered(body: dict[str, Any], n: int) -> dict[str, Any]:
    return {**body, "n": n} if n else body


def _stream(user_id: str) -> str:
    return f"hoist:{{{user_id}}}:events"


def _after(n: int) -> str:
    return f"({n // SEQUENCES}-{n % SEQUENCES}"


def _is_shared(n: int) -> bool:
    """Whether several events may have this number: so many came within a millisecond."""
    return n % SEQUENCES == SEQUENCES - 1


def _number(stream_id: bytes) -> int:
    milliseconds, _, sequence = stream_id.partition(b"-")
    return int(milliseconds) * SEQUENCES + min(int(sequence), SEQUENCES - 1)
