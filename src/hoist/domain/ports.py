"""What the pipeline needs from the world, and must last; what may vanish is in ``volatile``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hoist.domain.account import Account
from hoist.domain.listing import NEWEST_FIRST, Listing
from hoist.domain.model import FileRecord, Principal, StoredObject
from hoist.domain.sharing import Downloads, Share

Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Key = tuple[str, str]
"""(user_id, row_id); a file's row id is its file id"""

Row = FileRecord | Account | Share | Downloads
Change = Sequence[Row]
"""Rows that are written together or not at all."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records in order, and where the next page starts (None when there is nothing more)."""

    records: tuple[FileRecord, ...]
    next_position: str | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """What somebody must look at: files to settle or purge, and users with old reservations."""

    files: tuple[Key, ...]
    users: tuple[str, ...]


class RowStore(Protocol):
    def rows(self, keys: Sequence[Key]) -> dict[Key, Row]:
        """The rows that exist, of any kind, as last written."""


class MetadataStore(RowStore, Protocol):
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

    def list_by_user(
        self,
        user_id: str,
        listing: Listing = NEWEST_FIRST,
        *,
        limit: int,
        position: str | None = None,
    ) -> Page:
        """The user's records that *listing* matches, in its order, without their ``steps``.

        *position* is ``next_position`` of the page before, of the same listing. A page may be
        shorter than *limit*, even empty, and still have a next one.
        """

    def owners(self, row_ids: Sequence[str]) -> dict[str, str]:
        """The user of each known file (or any other row); it may lag behind ``write``."""

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        """Up to *limit* rows to settle by *at_ms*, oldest first; it may lag."""


class SharingStore(RowStore, Protocol):
    """Links and download histories, in the same store; they are written there as well."""

    def shares(self, user_id: str) -> list[Share]:
        """All links that the user ever made, in no order."""

    def count_download(self, share: Share) -> Share | None:
        """One download more, in one step, however many do so at once.

        None when none is left or it was revoked; its time is for the caller to look at.
        """


class MetadataScan(Protocol):
    def scan(self) -> Iterator[Row]:
        """For operators: everything, in no order. Never on a request's way."""


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
    """One record of the log; those of one key keep their order. One that failed is moved: it may be
    larger for that, and have a key of any bytes, or none, and no value."""

    topic: str
    key: str | bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    is_moved: bool = False

    @property
    def key_bytes(self) -> bytes | None:
        return self.key.encode() if isinstance(self.key, str) else self.key


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

        Raises ``Unavailable`` when one was not acknowledged in time, ``Malformed`` when one is
        larger than its topic takes; others may be in the log then.
        """


@dataclass(frozen=True, slots=True)
class Received:
    """One record of the log as it was delivered, bytes untouched."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int = 0


class LogReader(Protocol):
    """A whole topic, for operators: outside of every consumer group."""

    def read(self, topic: str) -> Iterator[Sequence[Received]]:
        """All from the beginning to the end as it is now, each partition in order, in batches.

        A second call goes on where the first one ended. Raises ``Unavailable``.
        """


class TopicReader(Protocol):
    """A topic of one partition, from any place on, for operators."""

    def since(self, topic: str, offset: int) -> Iterator[Sequence[Received]]:
        """All from *offset* to the end as it is now. Raises ``Unavailable``."""


class TokenVerifier(Protocol):
    """The one judge of access tokens, for sockets and REST alike."""

    def verify(self, token: str) -> Principal:
        """Who the token speaks for. Raises ``Unauthorized`` or ``TokenExpired``."""
