"""What the pipeline needs from the world, in its own words: what must last. Adapters satisfy these.

What may vanish is in ``volatile``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hoist.domain.account import Account
from hoist.domain.model import FileRecord, Principal, StoredObject

Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Key = tuple[str, str]
"""(user_id, file_id)"""

Row = FileRecord | Account
Change = Sequence[Row]
"""Rows that are written together or not at all."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order, and where the next page starts (None at the end)."""

    records: tuple[FileRecord, ...]
    next_position: str | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """What somebody must look at: pending files, and users with old reservations."""

    files: tuple[Key, ...]
    users: tuple[str, ...]


class MetadataStore(Protocol):
    """Where file records and accounts live, by user. Raises ``Unavailable`` when it is down."""

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        """The records that exist, as last written (never an older state)."""

    def accounts(self, user_ids: Sequence[str]) -> dict[str, Account]:
        """Each user's account, as last written; an empty one of version 0 where none exists."""

    def write(self, changes: Sequence[Change]) -> list[bool]:
        """Write each change whole, if every row's ``version`` is one above the stored one.

        A row of version 1 must not exist yet. Returns, in order, whether each change was written.
        False means that someone else wrote first: read again, decide again. No row may occur twice
        in one call, and a change has at most 100 rows.
        """

    def list_by_user(self, user_id: str, *, limit: int, position: str | None = None) -> Page:
        """The user's visible records, newest first; *position* is from the page before.

        Records are ordered by creation time, then file id. ``model.HIDDEN`` ones are left out.
        """

    def owners(self, file_ids: Sequence[str]) -> dict[str, str]:
        """The user of each known file; it may lag a moment behind ``write``."""

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        """Up to *limit* rows to settle by *at_ms*, oldest first; it may lag."""


class MetadataScan(Protocol):
    """For operators: everything, in no order. Never on a request's way."""

    def scan(self) -> Iterator[Row]: ...


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

    def discard(self, record: FileRecord) -> None:
        """Delete the object of *record*; a second call changes nothing."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part as storage has it."""

    number: int
    size: int
    etag: str
    checksum_sha256: str | None = None


class PartStore(Protocol):
    """Uploads in parts. Raises ``Unavailable`` when storage is down; signing calls nobody."""

    def begin(self, record: FileRecord) -> str:
        """A fresh id for an upload of *record* in parts; each call begins another one."""

    def sign_part(
        self, record: FileRecord, number: int, checksum_sha256: str | None, *, expires_seconds: int
    ) -> SignedRequest:
        """One PUT of exactly this part's bytes."""

    def parts(self, record: FileRecord) -> list[StoredPart]:
        """What storage has, by number; nothing when the upload is complete, aborted or unknown."""

    def join(self, record: FileRecord, parts: Sequence[StoredPart]) -> None:
        """Make the object of *parts*, to a key that is still free; joined before is no error."""

    def abort(self, record: FileRecord) -> None:
        """Give the parts up; a second call, or one after ``join``, changes nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something in storage: an object, or with *upload_id* an upload in parts that is open."""

    key: str
    since_ms: int
    size: int = 0
    upload_id: str | None = None


class Inventory(Protocol):
    """What storage holds beyond what anybody asked about."""

    def objects(self) -> Iterator[Found]: ...

    def open_uploads(self) -> Iterator[Found]: ...

    def remove(self, found: Found) -> None:
        """Delete the object, or abort the upload; a second call changes nothing."""


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


class TokenVerifier(Protocol):
    """The one judge of access tokens, for sockets and REST alike."""

    def verify(self, token: str) -> Principal:
        """Who the token speaks for. Raises ``Unauthorized`` or ``TokenExpired``."""
