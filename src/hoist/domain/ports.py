"""What the pipeline needs from the world, in its own words. Adapters satisfy these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hoist.domain.model import FileRecord, Principal, StoredObject

Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Key = tuple[str, str]
"""(user_id, file_id)"""


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order, and where the next page starts (None at the end)."""

    records: tuple[FileRecord, ...]
    next_position: str | None


class MetadataStore(Protocol):
    """Where file records live, indexed by owner. Raises ``Unavailable`` when it is down."""

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        """The records that exist, as last written (never an older state)."""

    def write(self, records: Sequence[FileRecord]) -> list[bool]:
        """Store each record whose ``version`` is one above the stored one (1: none is stored).

        Returns, in order, whether each was stored. False means that someone else wrote first:
        read again, decide again. No key may occur twice in one call.
        """

    def list_by_user(self, user_id: str, *, limit: int, position: str | None = None) -> Page:
        """The user's visible records, newest first; *position* is from the page before.

        Records are ordered by creation time, then file id. ``arrived`` and ``deleted`` are hidden.
        """

    def owners(self, file_ids: Sequence[str]) -> dict[str, str]:
        """The user of each known file; it may lag a moment behind ``write``."""

    def pending_before(self, at_ms: int, *, limit: int) -> list[Key]:
        """Up to *limit* pending records to settle by *at_ms*, oldest first; it may lag."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that storage will accept: send *method* to *url* with exactly *headers*."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at_ms: int


class ObjectStore(Protocol):
    """Where the bytes live. Signing makes no network call."""

    def sign_put(self, record: FileRecord, *, expires_seconds: int) -> SignedRequest:
        """One PUT of exactly the announced size, type and checksum, to a key that is still free."""

    def sign_get(self, record: FileRecord, *, expires_seconds: int) -> str:
        """A download URL that always saves as ``record.file.name`` and never runs in a browser."""

    def head(self, key: str) -> StoredObject | None:
        """What storage has under *key*, or None."""


class ListCache(Protocol):
    """First pages of a user's list. It may forget at any time; it never raises."""

    def generation(self, user_id: str) -> str | None:
        """The user's current generation; None when the cache cannot be used now."""

    def get(self, user_id: str, generation: str, name: str) -> bytes | None:
        """The page stored as *name* in exactly this generation."""

    def put(self, user_id: str, generation: str, name: str, page: bytes) -> bool:
        """Keep *page*, unless the generation moved on meanwhile: then nothing, and False."""

    def invalidate(self, user_ids: Sequence[str]) -> None:
        """Start a new generation for each user. Pages of older ones are never read again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a messageId was answered with: enough to answer again without a database."""

    user_id: str
    fingerprint: str
    state: str  # accepted | ready | rejected
    record: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    trace: dict[str, str] = field(default_factory=dict)


class Answers(Protocol):
    """The fast path of idempotency, by file id. It may forget at any time; it never raises."""

    def get_many(self, file_ids: Sequence[str]) -> dict[str, Answer]:
        """The answers that are remembered."""

    def put_many(self, answers: Mapping[str, Answer]) -> None:
        """Remember each answer, for a day."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell a user. With *connection_id* only that socket hears it live."""

    user_id: str
    body: dict[str, Any]
    connection_id: str | None = None


class EventStream(Protocol):
    """The user's numbered events: pushed live, and kept for who asks "since n"."""

    def publish(self, events: Sequence[Event]) -> None:
        """Number each event within its user's stream, keep it, and push it to open sockets.

        Best effort: it never raises, because a client that hears nothing asks again by messageId.
        """

    def since(self, user_id: str, n: int, *, limit: int = 100) -> list[dict[str, Any]]:
        """Kept events with a number above *n*, in order, each with its ``n``."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record of the log. Messages of one key keep their order."""

    topic: str
    key: str
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log put a message."""

    topic: str
    partition: int
    offset: int


class MessageLog(Protocol):
    """The durable log between the parts (Kafka)."""

    def append(self, messages: Sequence[Message]) -> list[Position]:
        """Append all and return once the log has acknowledged each, in order.

        Raises ``Unavailable`` when one was not acknowledged in time; some may be in the log then.
        """


@dataclass(frozen=True, slots=True)
class Connection:
    """One open socket and the gateway that holds it."""

    connection_id: str
    user_id: str
    gateway_url: str
    connected_at_ms: int
    source_ip: str = ""
    user_agent: str = ""


class Connections(Protocol):
    """Who is connected where. Rows expire by themselves after the maximum life of a socket."""

    def add(self, connection: Connection) -> None: ...

    def remove(self, connection: Connection) -> None:
        """Forget it; a second call changes nothing."""

    def find(self, connection_id: str) -> Connection | None:
        """The open connection of this id, or None when it is gone or never was."""

    def of_user(self, user_id: str) -> list[Connection]:
        """The user's open connections, in no order."""


class Tickets(Protocol):
    """One-time tickets that let a browser open a socket without a token in the URL."""

    def issue(self, principal: Principal, *, lives_seconds: int) -> str:
        """A fresh ticket. Raises ``Unavailable`` when it could not be kept."""

    def redeem(self, ticket: str) -> Principal | None:
        """Who the ticket was issued to; None when it is unknown, expired or used before."""


class TokenVerifier(Protocol):
    """The one judge of access tokens, for sockets and REST alike."""

    def verify(self, token: str) -> Principal:
        """Who the token speaks for. Raises ``Unauthorized`` or ``TokenExpired``."""
