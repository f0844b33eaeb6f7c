"""Archives: the stored files of a list as one zip. What is asked for, and what became of it.

An id says when it was asked for, and is sealed for its user: nobody needs to remember it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Literal, Protocol

from hoist.domain.errors import NothingToArchive
from hoist.domain.listing import Listing
from hoist.domain.messages import AtMs, Versioned, Wire, ours
from hoist.domain.model import FileRecord, Status

PREFIX = "archives/"
FILES_MAX, BYTES_MAX = 10_000, 5 * 1024**3
LIVES_SECONDS = 24 * 3600
BUILD_SECONDS_MAX = 14 * 60  # as much as a function on AWS may take of a Kafka source
NONCE_BYTES, TIME_BYTES, SEAL_BYTES = 12, 6, 17  # 35 bytes: base32 without padding
SHAPE = re.compile(r"[a-z2-7]{56}", re.ASCII)


class ArchiveRequested(Versioned):
    """One zip to build. Topic ``hoist.archives``, key userId."""

    version: Literal[1] = 1
    archive_id: str
    user_id: str
    listing: Listing
    requested_at: AtMs


class ArchiveReport(Wire):
    """What became of an archive. ``left_out`` files were gone before they could be packed."""

    state: Literal["ready", "failed"]
    files: int | None = None
    size: int | None = None
    left_out: int | None = None
    error: dict[str, Any] | None = None


class ZipStream(Protocol):
    """Bytes that go one way: they cannot be read, nor gone back to."""

    def write(self, data: bytes, /) -> int: ...

    def tell(self) -> int:
        """How many bytes were written."""

    def flush(self) -> None: ...

    def close(self) -> None: ...


class ArchiveStore(Protocol):
    """Where files are read for an archive, and where it lives. Raises ``Unavailable``."""

    def chunks(self, record: FileRecord) -> Iterator[bytes]:
        """The bytes of *record* in order, a few MiB at a time.

        Raises ``NotStored``, before the first, when storage has not got them.
        """

    def writing(self, archive_id: str) -> AbstractContextManager[ZipStream]:
        """A stream that becomes the zip, in the place of an older one, at the end of the block.

        When the block raises, nothing is there: neither zip nor parts of it.
        """

    def settle(self, archive_id: str, report: ArchiveReport) -> None:
        """Say what became of it; the last word counts."""

    def report(self, archive_id: str) -> ArchiveReport | None:
        """What was said of it; None while it is built, or when it never was or is gone."""

    def sign_get(self, archive_id: str, name: str, *, expires_seconds: int) -> str:
        """A download URL that saves the zip as *name*. Makes no network call."""


def archive_requested_from_json(raw: bytes | None) -> ArchiveRequested:
    """Raises ``Malformed``."""
    requested: ArchiveRequested = ours(ArchiveRequested.read, raw)
    return requested


def stored_only(listing: Listing) -> Listing:
    """The part of *listing* that has bytes. Raises ``NothingToArchive`` when it never has any."""
    if listing.is_trash or (listing.statuses and Status.STORED not in listing.statuses):
        raise NothingToArchive()
    return replace(listing, statuses=frozenset({Status.STORED}))


def archive_key(archive_id: str) -> str:
    return f"{PREFIX}{archive_id[:2]}/{archive_id}"


def archive_id(secret: str, user_id: str, nonce: bytes, at_ms: int) -> str:
    """The id of what *user_id* asked for at *at_ms*; *nonce* has ``NONCE_BYTES``."""
    body = nonce + at_ms.to_bytes(TIME_BYTES, "big")
    return base64.b32encode(body + _seal(secret, user_id, body)).decode().lower()


def asked_ms(secret: str, user_id: str, archive_id: str) -> int | None:
    """When *user_id* asked for it; None when it is forged or another user's."""
    if not SHAPE.fullmatch(archive_id):
        return None
    raw = base64.b32decode(archive_id.upper())
    body, seal = raw[:-SEAL_BYTES], raw[-SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(secret, user_id, body)):
        return None
    return int.from_bytes(body[NONCE_BYTES:], "big")


def _seal(secret: str, user_id: str, body: bytes) -> bytes:
    # A key of its own: no cursor, sealed with the same secret, is ever taken for an id.
    key = hashlib.sha256(b"archives\0" + secret.encode()).digest()
    seal = hmac.new(key, user_id.encode() + b"\0" + body, hashlib.sha256).digest()
    return seal[:SEAL_BYTES]
