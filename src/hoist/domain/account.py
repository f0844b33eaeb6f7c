"""A user's books: bytes that are stored, and what every unfinished upload has reserved.

Kept in one row, written with the rows it counts: reserved when a URL is granted, settled in the
same transaction that settles the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hoist.domain.model import GONE, KEPT, FileRecord, Status
from hoist.domain.versions import unknown

# Past the end of a reservation, before the janitor asks what became of its file.
GRACE_MS = 60 * 60 * 1000
NAMES = frozenset({"userId", "usedBytes", "reserved", "version"})  # of a row as JSON


def account_row_id(user_id: str) -> str:
    return f"account#{user_id}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room for one upload; ``until_ms`` is when its row is to be settled."""

    size: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Account:
    """``version`` counts its writes and guards each; 0 means that no row exists yet."""

    user_id: str
    used_bytes: int = 0
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    version: int = 0
    unknown: Mapping[str, Any] = field(default_factory=dict)  # a newer release's

    @property
    def row_id(self) -> str:
        """In the place of a file id: each user's own, so that no index has all accounts at once."""
        return account_row_id(self.user_id)

    @property
    def reserved_bytes(self) -> int:
        return sum(one.size for one in self.reservations.values())

    @property
    def in_use_bytes(self) -> int:
        return self.used_bytes + self.reserved_bytes

    @property
    def due_at_ms(self) -> int | None:
        """When somebody must look at reservations that nobody settled; None without any."""
        ends = [one.until_ms for one in self.reservations.values()]
        return min(ends) + GRACE_MS if ends else None

    def reserve(self, file_id: str, size: int, until_ms: int) -> Account:
        """With room for *file_id*."""
        return self._with({**self.reservations, file_id: Reservation(size, until_ms)})

    def release(self, file_id: str) -> Account:
        """Without the reservation; a second call changes nothing."""
        return self._with({k: v for k, v in self.reservations.items() if k != file_id})

    def settle(self, before: FileRecord | None, after: FileRecord) -> Account:
        """The books after a row changed from *before* to *after*; the same again is no change.

        A reservation lives as long as its row is pending. One that is younger than the row belongs
        to a grant whose event is still on its way, and stays; unless no grant can count any more.
        """
        account = self
        if held := self.reservations.get(after.file_id):
            is_final = after.status in GONE
            is_due = held.until_ms <= after.settle_after_ms
            if is_final or (is_due and after.status is not Status.PENDING):
                account = account.release(after.file_id)
        used = account.used_bytes - _stored_bytes(before) + _stored_bytes(after)
        return replace(account, used_bytes=used)

    def _with(self, reservations: Mapping[str, Reservation]) -> Account:
        return replace(self, reservations=dict(reservations))


def _stored_bytes(record: FileRecord | None) -> int:
    """What is in the trash counts as well: storage still holds it."""
    if record is None or record.status not in KEPT:
        return 0
    return record.stored.size if record.stored else 0


def account_to_json(account: Account) -> dict[str, Any]:
    """A plain, JSON-ready form of *account*; ``account_from_json`` is its inverse."""
    return {
        **account.unknown,
        "userId": account.user_id,
        "usedBytes": account.used_bytes,
        "reserved": {k: [v.size, v.until_ms] for k, v in account.reservations.items()},
        "version": account.version,
    }


def account_from_json(data: Mapping[str, Any]) -> Account:
    return Account(
        user_id=data["userId"],
        used_bytes=int(data["usedBytes"]),
        reservations={k: Reservation(*map(int, v)) for k, v in data["reserved"].items()},
        version=int(data["version"]),
        unknown=unknown(data, NAMES),
    )


def accounts_among(rows: Iterable[object], user_ids: Iterable[str]) -> dict[str, Account]:
    """Each user's account out of *rows*; an empty one of version 0 where none is there."""
    found = {row.user_id: row for row in rows if isinstance(row, Account)}
    return {user_id: found.get(user_id) or Account(user_id) for user_id in user_ids}
