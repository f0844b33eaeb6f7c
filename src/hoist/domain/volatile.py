"""What the pipeline needs and may lose: results stay right without it, only slower (Redis).

None of these raises, unless it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hoist.domain.model import Principal

PAGES_KEPT = 32  # of a user and generation


class ListCache(Protocol):
    """First pages of a user's list. It may forget at any time; it never raises."""

    def generation(self, user_id: str) -> str | None:
        """The user's current generation; None when the cache cannot be used now."""

    def get(self, user_id: str, generation: str, name: str) -> bytes | None:
        """The page stored as *name* in exactly this generation."""

    def put(self, user_id: str, generation: str, name: str, page: bytes) -> bool:
        """Keep *page*, unless the generation moved on meanwhile: then nothing, and False.

        The same for the page after ``PAGES_KEPT`` of them: who asks for many different pages gets
        them from the store. One that is kept already is replaced.
        """

    def invalidate(self, user_ids: Sequence[str]) -> None:
        """Start a new generation for each user. Pages of older ones are never read again."""


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page as the cache keeps it, and in which generation."""

    user_id: str
    generation: str
    name: str
    body: bytes


class KeptPages(Protocol):
    """The cache as operators look at it. Unlike ``ListCache`` it raises ``Unavailable``."""

    def scan(self) -> Iterator[KeptPage]:
        """Each page that somebody may be shown now, in no order, user by user."""

    def again(self, page: KeptPage) -> KeptPage | None:
        """*page* as it is now; None when nobody is shown it any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a messageId was answered with: enough to answer again without a database.

    ``told_at_ms`` is when a refusal was told, the last time.
    """

    user_id: str
    fingerprint: str
    state: str  # accepted | ready | rejected
    message_id: str = ""
    requested_at_ms: int = 0
    record: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    trace: dict[str, str] = field(default_factory=dict)
    told_at_ms: int = 0


class Answers(Protocol):
    """The fast path of idempotency, by file id. It may forget at any time; it never raises."""

    def get_many(self, file_ids: Sequence[str]) -> dict[str, Answer]:
        """The answers that are remembered."""

    def put_many(self, answers: Mapping[str, Answer]) -> None:
        """Remember each answer, for a day."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell a user. With *connection_id* only that socket hears it live.

    One that is not kept has no number: it is for whoever listens now.
    """

    user_id: str
    body: dict[str, Any]
    connection_id: str | None = None
    is_kept: bool = True


class EventStream(Protocol):
    """The user's numbered events: pushed live, and kept for who asks "since n"."""

    def publish(self, events: Sequence[Event]) -> None:
        """Number each event within its user's stream, keep it, and push it to open sockets.

        Best effort: it never raises, because a client that hears nothing asks again by messageId.
        """

    def since(self, user_id: str, n: int, *, limit: int = 100) -> list[dict[str, Any]]:
        """Kept events with a number above *n*, in order, each with its ``n``."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is: accepted, ready, uploading, stored or recorded, and its bytes."""

    phase: str
    bytes_sent: int


class ProgressBoard(Protocol):
    """The latest progress of each upload. It may forget at any time; it never raises."""

    def get(self, file_id: str) -> Progress | None: ...

    def put_many(self, progress: Mapping[str, Progress]) -> None: ...


class Leases(Protocol):
    """Which uploads a user has in flight. A lease ends by itself when nobody renews it.

    It may forget at any time; it never raises.
    """

    def active(self, user_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Each user's leases: file id -> end in ms. A user who is not known is left out."""

    def hold(self, ends_ms: Mapping[str, Mapping[str, int]]) -> None:
        """Take or renew leases, by user; from now on each user is known, also without any."""

    def renew(self, user_id: str, file_id: str, end_ms: int) -> None:
        """Renew a lease that exists; anything else changes nothing."""

    def free(self, file_ids: Mapping[str, Sequence[str]]) -> None:
        """End leases, by user; those that are unknown are no error."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many requests a rate allows now, and when the next one may come."""

    granted: int
    retry_after_seconds: int = 0


class RateLimiter(Protocol):
    """Requests of a user within a sliding minute, or hour. It never raises."""

    def take(self, user_id: str, count: int, *, per_minute: int) -> Taken:
        """Count up to *count* requests; the rest is not granted and not counted."""

    def take_all(self, counts: Mapping[str, int], *, per_minute: int) -> dict[str, Taken]:
        """The same for many users, by id, in one go."""

    def take_hourly(self, user_id: str, count: int, *, per_hour: int) -> Taken:
        """The same for an hour; the two are counted apart."""


@dataclass(frozen=True, slots=True)
class LanePace:
    """How far a partition of a lane was read, and how many requests a second it does."""

    next_offset: int
    per_second: float


class Lanes(Protocol):
    """How the handlers get on with their lanes. It may forget at any time; it never raises."""

    def report(self, done: Mapping[tuple[str, int], LanePace]) -> None:
        """By (topic, partition)."""

    def pace(self, topic: str, partition: int) -> LanePace | None:
        """As it was told within the last moments; None when nothing is known."""


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
