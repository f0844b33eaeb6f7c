"""The promises I1 to I9, decided by sets of ids. Each check returns what breaks its promise.

They compare the clients' ledger with what is true once everything is quiet. None counts: an upload
that was lost and another that was made up do not cancel out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hoist.domain.model import file_id
from loadtest.ledger import Ledger, Name, Outcome

KEPT = ("stored", "deleted")
FINAL = (*KEPT, "expired", "rejected", "missing", "cancelled", "purged")


@dataclass(frozen=True, slots=True)
class Row:
    """A file's record, as the store has it."""

    user_id: str
    message_id: str
    file_id: str
    s3_key: str
    size: int
    status: str
    etag: str = ""  # what storage said of the bytes

    @property
    def name(self) -> Name:
        return self.user_id, self.message_id


@dataclass(frozen=True, slots=True)
class Books:
    """A user's account: bytes stored and reserved, and the most there may be of both."""

    used_bytes: int
    reserved_bytes: int
    quota_bytes: int


@dataclass
class Truth:
    """What was found once all was quiet.

    ``letters`` are the names of what rests in the dead letters. ``lists`` is what each gateway
    shows each user, in order, and ``stored_lists`` the same out of the store. ``over_quota`` was
    seen while it ran. ``quiet_seconds`` passed from the last heal until no consumer was behind;
    None when that never came.
    """

    rows: Sequence[Row] = ()
    objects: Mapping[str, int] = field(default_factory=dict)
    letters: frozenset[Name] = frozenset()
    books: Mapping[str, Books] = field(default_factory=dict)
    lists: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    stored_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    over_quota: Sequence[str] = ()
    quiet_seconds: float | None = 0.0
    quiet_seconds_max: float = 30.0
    down: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    promise: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.promise} {self.subject}: {self.detail}"


Found = Iterator[tuple[str, str]]
"""(whom it concerns, what is wrong)"""


def nothing_lost(ledger: Ledger, truth: Truth) -> Found:
    """I1: what was accepted ends as one record, refusal or dead letter; sent bytes are stored."""
    rows = {row.name: row for row in truth.rows}
    for name, request in ledger.requests.items():
        row = rows.get(name)
        if request.outcome is Outcome.OK:
            # Both name the same end: its client heard of it.
            is_one = row is not None and row.status in ("rejected", request.refusal)
            # Or the row is of a later attempt, whose own answer its client never heard.
            is_later = row is not None and request.is_open
            ends = [
                row is not None and row.status in FINAL,
                request.refusal is not None and not (is_one or is_later),
                name in truth.letters and row is None,
            ]
            if sum(ends) != 1:
                found = f"row {row.status if row else 'none'}, refusal {request.refusal}"
                yield str(name), f"{found}, dead letter {name in truth.letters}"
        is_wanted = request.sent is Outcome.OK and not request.is_cancelled
        if is_wanted and (row is None or row.status not in KEPT):
            yield str(name), f"its bytes were taken; its row is {row.status if row else 'none'}"


def nothing_twice(ledger: Ledger, truth: Truth) -> Found:
    """I2: one record per messageId, file id and key; every byte is charged once."""
    for what in ("name", "file_id", "s3_key"):
        for value, count in Counter(getattr(row, what) for row in truth.rows).items():
            if count > 1:
                yield str(value), f"{count} records have this {what}"
    stored: Counter[str] = Counter()
    for row in truth.rows:
        if row.status in KEPT:
            stored[row.user_id] += row.size
    for user_id, books in truth.books.items():
        if books.used_bytes != stored[user_id]:
            yield user_id, f"charged {books.used_bytes} bytes, stored {stored[user_id]}"


def nothing_made_up(ledger: Ledger, truth: Truth) -> Found:
    """I3: no record of what was refused or never asked for, nor of bytes that are not there.

    The ETag of what came in one PUT is its MD5: other bytes of the same length are not there.
    """
    for row in truth.rows:
        request = ledger.requests.get(row.name)
        if request is None:
            yield str(row.name), "a record of a request that nobody made"
        elif request.outcome is Outcome.FAIL:
            yield str(row.name), f"a record ({row.status}) of a request that was refused"
        elif request.size != row.size and row.status != "cancelled":  # some before it was known
            yield str(row.name), f"recorded with {row.size} bytes, announced with {request.size}"
        if row.status in KEPT and truth.objects.get(row.s3_key) != row.size:
            found = truth.objects.get(row.s3_key)
            yield row.s3_key, f"stored with {row.size} bytes, the bucket has {found}"
        if row.status in KEPT and request and request.md5 and row.etag != request.md5:
            yield str(row.name), f"stored with ETag {row.etag!r}, sent with MD5 {request.md5}"


def same_answers(ledger: Ledger, truth: Truth) -> Found:
    """I4: a messageId always means the same file, and never another one."""
    rows: dict[Name, set[str]] = {}
    for row in truth.rows:
        rows.setdefault(row.name, set()).add(row.file_id)
    for name, request in ledger.requests.items():
        ids = request.answered | rows.get(name, set())
        if len(ids) > 1:
            yield str(name), f"answered as {sorted(ids)}"
        if request.impostors:
            yield str(name), f"{request.impostors} other files were accepted under it"


def quota_kept(ledger: Ledger, truth: Truth) -> Found:
    """I5: never more than the quota; nothing stays reserved."""
    for user_id in truth.over_quota:
        yield user_id, "reserved and used bytes were over the quota"
    for user_id, books in truth.books.items():
        if books.used_bytes + books.reserved_bytes > books.quota_bytes:
            yield user_id, f"{books.used_bytes} used and {books.reserved_bytes} reserved bytes"
        if books.reserved_bytes:
            yield user_id, f"{books.reserved_bytes} bytes are still reserved"


def lists_true(ledger: Ledger, truth: Truth) -> Found:
    """I6: every gateway lists what the store has, in the same order."""
    for (user_id, gateway), listed in truth.lists.items():
        stored = truth.stored_lists.get(user_id, ())
        if list(listed) != list(stored):
            wrong = sorted(set(listed) ^ set(stored)) or "the order"
            yield user_id, f"{gateway} lists {len(listed)}, the store has {len(stored)}: {wrong}"


def nobody_elses(ledger: Ledger, truth: Truth) -> Found:
    """I7: nobody was ever shown a file id that is not their own."""
    own: dict[str, set[str]] = {}
    for user_id, message_id in ledger.requests:
        own.setdefault(user_id, set()).add(file_id(user_id, message_id))
    for user_id, seen in ledger.seen.items():
        for foreign in seen - own.get(user_id, set()):
            yield user_id, f"was shown {foreign}, which is no file of theirs"


def quiet_again(ledger: Ledger, truth: Truth) -> Found:
    """I8: soon after the last heal no consumer is behind, and every process runs."""
    if truth.quiet_seconds is None:
        yield "consumers", "still behind"
    elif truth.quiet_seconds > truth.quiet_seconds_max:
        yield "consumers", f"behind for {truth.quiet_seconds:.0f} s after the last heal"
    for service in truth.down:
        yield service, "does not run"


def accounted_for(ledger: Ledger, truth: Truth) -> Found:
    """I9: accepted = records + refusals + dead letters, by id."""
    requests = ledger.requests
    accepted = {name for name, request in requests.items() if request.outcome is Outcome.OK}
    unknown = {name for name, request in requests.items() if request.outcome is Outcome.UNKNOWN}
    refused = {name for name, request in requests.items() if request.refusal}
    records = {row.name for row in truth.rows}
    for name in accepted - records - refused - truth.letters:
        yield str(name), "accepted, and nothing tells what became of it"
    for name in (records | truth.letters) - accepted - unknown:
        yield str(name), "known to the service, and accepted by nobody"


PROMISES: Mapping[str, Callable[[Ledger, Truth], Found]] = {
    "I1": nothing_lost,
    "I2": nothing_twice,
    "I3": nothing_made_up,
    "I4": same_answers,
    "I5": quota_kept,
    "I6": lists_true,
    "I7": nobody_elses,
    "I8": quiet_again,
    "I9": accounted_for,
}


def violations(ledger: Ledger, truth: Truth) -> list[Violation]:
    """Everything that breaks a promise; nothing when all are kept."""
    return [
        Violation(promise, subject, detail)
        for promise, check in PROMISES.items()
        for subject, detail in check(ledger, truth)
    ]
