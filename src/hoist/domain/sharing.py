"""Links that let anybody download one file, for a while; and who downloaded it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hoist.domain.versions import known, members_of_row, row_to_members

SHARE_ID = re.compile(r"[\w-]{22}", re.ASCII)  # 128 random bits in base64url: nobody guesses one
DOWNLOADS_KEPT = 100
# scrypt's cost: about 30 ms and 16 MiB for each try (RFC 7914 section 2).
SCRYPT = {"n": 2**14, "r": 8, "p": 1}


def new_share_id() -> str:
    """One that no command line takes for an option."""
    while (made := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return made


def is_share_id(text: str) -> bool:
    return SHARE_ID.fullmatch(text) is not None


def share_row_id(share_id: str) -> str:
    return f"share#{share_id}"


def downloads_row_id(file_id: str) -> str:
    return f"downloads#{file_id}"


@dataclass(frozen=True, slots=True)
class Share:
    """A link to a file. ``downloads`` counts, and never exceeds ``downloads_max``."""

    user_id: str
    share_id: str
    file_id: str
    created_at_ms: int
    expires_at_ms: int | None = None
    password: str | None = None  # as ``hashed`` gives it
    downloads_max: int | None = None
    downloads: int = 0
    is_revoked: bool = False
    version: int = 1
    unknown: Mapping[str, Any] = field(default_factory=dict)  # a newer release's

    @property
    def row_id(self) -> str:
        return share_row_id(self.share_id)

    @property
    def due_at_ms(self) -> int | None:
        return None

    def is_open(self, now_ms: int) -> bool:
        """Whether it may be followed once more."""
        is_late = self.expires_at_ms is not None and self.expires_at_ms <= now_ms
        is_used_up = self.downloads_max is not None and self.downloads >= self.downloads_max
        return not (self.is_revoked or is_late or is_used_up)

    def revoked(self) -> Share:
        """A second call changes nothing."""
        return self if self.is_revoked else replace(self, is_revoked=True, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class Download:
    """A download URL that was given: how (``owner``, ``public`` or ``share``), and its trace."""

    id: str
    at_ms: int
    by: str
    share_id: str | None
    trace_id: str


@dataclass(frozen=True, slots=True)
class Downloads:
    """A file's download history: how many there were, and the last ones, oldest first.

    ``offset`` and ``partition`` are the log's, of the last one. A file's events are all in one
    partition, until there are more partitions; an older release did not write down which.
    """

    user_id: str
    file_id: str
    count: int = 0
    last: tuple[Download, ...] = ()
    offset: int = -1
    version: int = 0
    unknown: Mapping[str, Any] = field(default_factory=dict)  # a newer release's
    partition: int | None = None

    @property
    def row_id(self) -> str:
        return downloads_row_id(self.file_id)

    @property
    def due_at_ms(self) -> int | None:
        return None

    def with_one(self, download: Download, place: tuple[int, int] | None) -> Downloads:
        """One that was counted before changes nothing, however long ago it was.

        One that failed at first comes behind younger ones: it has no *place*, which is partition
        and offset, only its id.
        """
        if any(one.id == download.id for one in self.last):
            return self
        partition, offset = place or (self.partition, self.offset)
        is_here = self.partition in (None, partition)
        if place and is_here and offset <= self.offset:
            return self
        return replace(
            self,
            count=self.count + 1,
            last=(*self.last, download)[-DOWNLOADS_KEPT:],
            offset=offset,
            partition=partition,
            version=self.version + 1,
        )


def hashed(password: str) -> str:
    """*password* as it may be kept: salt and scrypt's key, in base64."""
    salt = secrets.token_bytes(16)
    return base64.b64encode(salt + _key(password, salt)).decode()


def is_password(password: str, kept: str) -> bool:
    raw = base64.b64decode(kept)
    return hmac.compare_digest(_key(password, raw[:16]), raw[16:])


def _key(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **SCRYPT)


def share_to_json(share: Share) -> dict[str, Any]:
    """A plain, JSON-ready form; ``share_from_json`` is its inverse."""
    return row_to_members(share)


def share_from_json(data: Mapping[str, Any]) -> Share:
    return Share(**members_of_row(Share, data))


def downloads_to_json(downloads: Downloads) -> dict[str, Any]:
    """A plain, JSON-ready form; ``downloads_from_json`` is its inverse."""
    return row_to_members(downloads)


def downloads_from_json(data: Mapping[str, Any]) -> Downloads:
    members = members_of_row(Downloads, data)
    last = tuple(Download(**known(Download, one)) for one in members.pop("last"))
    return Downloads(**members, last=last)
