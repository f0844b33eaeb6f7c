"""In-memory twins of every port but the object store. They pass the contracts in tests/contracts.

Storage has none: what matters there is what storage itself refuses, and a twin would only repeat
our own belief about it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hoist.domain.model import FileRecord, Principal, Status
from hoist.domain.ports import Answer, Connection, Event, Key, Message, Page, Position

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

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        return {key: self.records[key] for key in keys if key in self.records}

    def write(self, records: Sequence[FileRecord]) -> list[bool]:
        return [self._write(record) for record in records]

    def _write(self, record: FileRecord) -> bool:
        key = (record.user_id, record.file_id)
        before = self.records.get(key)
        if record.version != (before.version + 1 if before else 1):
            return False
        self.records[key] = record
        return True

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

    def pending_before(self, at_ms: int, *, limit: int) -> list[Key]:
        due = [
            record
            for record in self.records.values()
            if record.status is Status.PENDING and record.settle_after_ms <= at_ms
        ]
        due.sort(key=lambda record: record.settle_after_ms)
        return [(record.user_id, record.file_id) for record in due[:limit]]


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
            if before is None or (is_same and answer.state != "accepted"):
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
