"""In-memory twins of every port but the object store. They pass the contracts in tests/contracts.

Storage has none: what matters there is what storage itself refuses, and a twin would only repeat
our own belief about it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hoist.domain.account import Account
from hoist.domain.model import FileRecord, Principal, Status
from hoist.domain.ports import Change, Key, Message, Overdue, Page, Position, Row
from hoist.domain.volatile import Answer, Connection, Event, LanePace, Progress, Taken

HOUR_MS = 3600 * 1000


class Clock:
    """Milliseconds that pass only when told."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, *, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


class MemoryMetadata:
    def __init__(self) -> None:
        self.records: dict[Key, FileRecord] = {}
        self.books: dict[str, Account] = {}

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        return {key: self.records[key] for key in keys if key in self.records}

    def accounts(self, user_ids: Sequence[str]) -> dict[str, Account]:
        return {user_id: self.books.get(user_id, Account(user_id)) for user_id in user_ids}

    def write(self, changes: Sequence[Change]) -> list[bool]:
        return [self._write(change) for change in changes]

    def _write(self, change: Change) -> bool:
        if any(row.version != self._version(row) + 1 for row in change):
            return False
        for row in change:
            if isinstance(row, Account):
                self.books[row.user_id] = row
            else:
                self.records[row.user_id, row.file_id] = row
        return True

    def _version(self, row: Row) -> int:
        if isinstance(row, Account):
            return self.accounts([row.user_id])[row.user_id].version
        before = self.records.get((row.user_id, row.file_id))
        return before.version if before else 0

    def scan(self) -> Iterator[Row]:
        yield from list(self.records.values())
        yield from list(self.books.values())

    def list_by_user(self, user_id: str, *, limit: int, position: str | None = None) -> Page:
        mine = {
            f"{record.created_at_ms:015d}#{record.file_id}": record
            for record in self.records.values()
            if record.user_id == user_id and record.is_listed
        }
        order = [place for place in sorted(mine, reverse=True) if not position or place < position]
        shown = order[:limit]
        return Page(
            tuple(mine[place] for place in shown), shown[-1] if len(order) > limit else None
        )

    def owners(self, file_ids: Sequence[str]) -> dict[str, str]:
        return {file_id: user_id for user_id, file_id in self.records if file_id in file_ids}

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        due = [
            record
            for record in self.records.values()
            if record.status is Status.PENDING and record.settle_after_ms <= at_ms
        ]
        due.sort(key=lambda record: record.settle_after_ms)
        users = [
            account.user_id
            for account in self.books.values()
            if account.settle_after_ms is not None and account.settle_after_ms <= at_ms
        ]
        return Overdue(
            tuple((record.user_id, record.file_id) for record in due[:limit]), tuple(users)
        )


class MemoryCache:
    def __init__(self) -> None:
        self._generations: dict[str, str] = {}
        self._pages: dict[tuple[str, str, str], bytes] = {}

    def generation(self, user_id: str) -> str | None:
        return self._generations.setdefault(user_id, secrets.token_hex(8))

    def get(self, user_id: str, generation: str, name: str) -> bytes | None:
        return self._pages.get((user_id, generation, name))

    def put(self, user_id: str, generation: str, name: str, page: bytes) -> bool:
        if self._generations.get(user_id) != generation:
            return False
        self._pages[user_id, generation, name] = page
        return True

    def invalidate(self, user_ids: Sequence[str]) -> None:
        for user_id in user_ids:
            self._generations[user_id] = secrets.token_hex(8)


class MemoryAnswers:
    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def get_many(self, file_ids: Sequence[str]) -> dict[str, Answer]:
        return {name: self._answers[name] for name in file_ids if name in self._answers}

    def put_many(self, answers: Mapping[str, Answer]) -> None:
        for file_id, answer in answers.items():
            before = self._answers.get(file_id)
            is_same = before is None or before.fingerprint == answer.fingerprint
            is_open = is_same or (before is not None and before.state == "rejected")
            if before is None or (is_open and answer.state != "accepted"):
                self._answers[file_id] = answer


class MemoryEvents:
    """What was published, in order, is in ``published``."""

    def __init__(self) -> None:
        self.published: list[Event] = []
        self._kept: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.published.append(event)
            kept = self._kept[event.user_id]
            if event.is_kept:
                kept.append({**event.body, "n": len(kept) + 1})

    def since(self, user_id: str, n: int, *, limit: int = 100) -> list[dict[str, Any]]:
        return [body for body in self._kept[user_id] if body["n"] > n][:limit]


class MemoryLog:
    """One partition a topic. ``messages`` is everything, in order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._ends: dict[str, int] = defaultdict(int)

    def append(self, messages: Sequence[Message]) -> list[Position]:
        return [self._append(message) for message in messages]

    def _append(self, message: Message) -> Position:
        self.messages.append(message)
        self._ends[message.topic] += 1
        return Position(message.topic, 0, self._ends[message.topic] - 1)

    def of(self, topic: str) -> list[Message]:
        return [message for message in self.messages if message.topic == topic]


class MemoryConnections:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, Connection] = {}

    def add(self, connection: Connection) -> None:
        self._open[connection.connection_id] = connection

    def remove(self, connection: Connection) -> None:
        self._open.pop(connection.connection_id, None)

    def find(self, connection_id: str) -> Connection | None:
        found = self._open.get(connection_id)
        return found if found and self._lives(found) else None

    def of_user(self, user_id: str) -> list[Connection]:
        return [row for row in self._open.values() if row.user_id == user_id and self._lives(row)]

    def _lives(self, connection: Connection) -> bool:
        return self._clock() < connection.connected_at_ms + 2 * HOUR_MS + 600_000


class MemoryTickets:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[Principal, int]] = {}

    def issue(self, principal: Principal, *, lives_seconds: int) -> str:
        ticket = secrets.token_urlsafe(32)
        self._kept[ticket] = (replace(principal), self._clock() + lives_seconds * 1000)
        return ticket

    def redeem(self, ticket: str) -> Principal | None:
        principal, ends_at_ms = self._kept.pop(ticket, (None, 0))
        return principal if self._clock() < ends_at_ms else None


class MemoryLeases:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, dict[str, int]] = {}

    def active(self, user_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        now = self._clock()
        known = {user_id: self._ends[user_id] for user_id in user_ids if user_id in self._ends}
        return {
            user_id: {name: end for name, end in ends.items() if end > now}
            for user_id, ends in known.items()
        }

    def hold(self, ends_ms: Mapping[str, Mapping[str, int]]) -> None:
        for user_id, ends in ends_ms.items():
            self._ends.setdefault(user_id, {}).update(ends)

    def renew(self, user_id: str, file_id: str, end_ms: int) -> None:
        ends = self._ends.get(user_id, {})
        if file_id in ends:
            ends[file_id] = max(end_ms, ends[file_id])

    def free(self, file_ids: Mapping[str, Sequence[str]]) -> None:
        for user_id, ended in file_ids.items():
            for file_id in ended:
                self._ends.get(user_id, {}).pop(file_id, None)

    def forget(self) -> None:
        """As Redis does when it is flushed."""
        self._ends.clear()


class MemoryBoard:
    def __init__(self) -> None:
        self._progress: dict[str, Progress] = {}

    def get(self, file_id: str) -> Progress | None:
        return self._progress.get(file_id)

    def put_many(self, progress: Mapping[str, Progress]) -> None:
        self._progress.update(progress)


class MemoryLanes:
    def __init__(self) -> None:
        self._paces: dict[tuple[str, int], LanePace] = {}

    def report(self, done: Mapping[tuple[str, int], LanePace]) -> None:
        self._paces.update(done)

    def pace(self, topic: str, partition: int) -> LanePace | None:
        return self._paces.get((topic, partition))


class MemoryLimiter:
    """A log of times: exact, where the real one weighs two windows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken: dict[str, list[int]] = {}

    def take(self, user_id: str, count: int, *, per_minute: int) -> Taken:
        now = self._clock()
        recent = [at for at in self._taken.get(user_id, []) if at > now - 60_000]
        granted = min(count, max(0, per_minute - len(recent)))
        self._taken[user_id] = recent + [now] * granted
        if granted == count:
            return Taken(granted)
        return Taken(granted, max(1, -(-(self._taken[user_id][0] + 60_000 - now) // 1000)))
