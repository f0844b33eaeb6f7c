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

from hoist.domain.account import Account, account_row_id
from hoist.domain.listing import NEWEST_FIRST, Listing, sort_key
from hoist.domain.model import FileRecord, Principal
from hoist.domain.ports import Change, Key, Message, Overdue, Page, Position, Received, Row
from hoist.domain.sharing import Share
from hoist.domain.volatile import (
    PAGES_KEPT,
    Answer,
    Connection,
    Event,
    KeptPage,
    LanePace,
    Progress,
    Taken,
)

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
    """``kept`` is every row by its key."""

    def __init__(self) -> None:
        self.kept: dict[Key, Row] = {}

    @property
    def records(self) -> dict[Key, FileRecord]:
        return {key: row for key, row in self.kept.items() if isinstance(row, FileRecord)}

    def rows(self, keys: Sequence[Key]) -> dict[Key, Row]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        return {k: row for k, row in self.rows(keys).items() if isinstance(row, FileRecord)}

    def accounts(self, user_ids: Sequence[str]) -> dict[str, Account]:
        found = {user_id: self.kept.get((user_id, account_row_id(user_id))) for user_id in user_ids}
        return {
            user_id: row if isinstance(row, Account) else Account(user_id)
            for user_id, row in found.items()
        }

    def shares(self, user_id: str) -> list[Share]:
        rows = [row for row in self.kept.values() if row.user_id == user_id]
        return [row for row in rows if isinstance(row, Share)]

    def count_download(self, share: Share) -> Share | None:
        now = self.kept.get((share.user_id, share.row_id))
        if not isinstance(now, Share) or now.is_revoked:
            return None
        if now.downloads_max is not None and now.downloads >= now.downloads_max:
            return None
        counted = replace(now, downloads=now.downloads + 1, version=now.version + 1)
        self.kept[share.user_id, share.row_id] = counted
        return counted

    def write(self, changes: Sequence[Change]) -> list[bool]:
        return [self._write(change) for change in changes]

    def _write(self, change: Change) -> bool:
        keys = {(row.user_id, row.row_id): row for row in change}
        before = self.rows(list(keys))
        if any(
            row.version != (before[key].version if key in before else 0) + 1
            for key, row in keys.items()
        ):
            return False
        self.kept |= keys
        return True

    def scan(self) -> Iterator[Row]:
        yield from list(self.kept.values())

    def list_by_user(
        self,
        user_id: str,
        listing: Listing = NEWEST_FIRST,
        *,
        limit: int,
        position: str | None = None,
    ) -> Page:
        mine = {
            key: replace(record, steps=())
            for record in self.records.values()
            if record.user_id == user_id
            and listing.matches(record)
            and (key := sort_key(record, listing.order))
        }
        order = sorted(mine, reverse=listing.is_descending)
        if position is not None:
            is_down = listing.is_descending
            order = [key for key in order if (key < position if is_down else key > position)]
        shown = order[:limit]
        return Page(
            tuple(mine[place] for place in shown), shown[-1] if len(order) > limit else None
        )

    def owners(self, row_ids: Sequence[str]) -> dict[str, str]:
        return {row_id: user_id for user_id, row_id in self.kept if row_id in row_ids}

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        due = [row for row in self.kept.values() if (row.due_at_ms or at_ms + 1) <= at_ms]
        due = sorted(due, key=lambda row: row.due_at_ms or 0)[:limit]
        files = [(row.user_id, row.row_id) for row in due if isinstance(row, FileRecord)]
        return Overdue(tuple(files), tuple(row.user_id for row in due if isinstance(row, Account)))


class MemoryCache:
    def __init__(self) -> None:
        self._generations: dict[str, str] = {}
        self._pages: dict[str, dict[str, bytes]] = defaultdict(dict)  # by generation

    def generation(self, user_id: str) -> str | None:
        return self._generations.setdefault(user_id, secrets.token_hex(8))

    def get(self, user_id: str, generation: str, name: str) -> bytes | None:
        return self._pages[user_id + generation].get(name)

    def put(self, user_id: str, generation: str, name: str, page: bytes) -> bool:
        if self._generations.get(user_id) != generation:
            return False
        kept = self._pages[user_id + generation]
        if name not in kept and len(kept) >= PAGES_KEPT:
            return False
        kept[name] = page
        return True

    def invalidate(self, user_ids: Sequence[str]) -> None:
        for user_id in user_ids:
            self._generations[user_id] = secrets.token_hex(8)

    def scan(self) -> Iterator[KeptPage]:
        for user_id, generation in list(self._generations.items()):
            for name, body in list(self._pages[user_id + generation].items()):
                yield KeptPage(user_id, generation, name, body)

    def again(self, page: KeptPage) -> KeptPage | None:
        return next((one for one in self.scan() if replace(one, body=page.body) == page), None)


class MemoryAnswers:
    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def get_many(self, file_ids: Sequence[str]) -> dict[str, Answer]:
        return {name: self._answers[name] for name in file_ids if name in self._answers}

    def put_many(self, answers: Mapping[str, Answer]) -> None:
        for file_id, answer in answers.items():
            before = self._answers.get(file_id)
            is_same = before is None or before.fingerprint == answer.fingerprint
            is_open = is_same or (before is not None and before.state != "ready")
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

    def since(self, topic: str, offset: int) -> Iterator[Sequence[Received]]:
        """As ``TopicReader`` has it; every topic is there."""
        records = [
            Received(topic, 0, number, each.key_bytes, each.value, tuple(each.headers))
            for number, each in enumerate(self.of(topic))
        ]
        if records[offset:]:
            yield records[offset:]


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
        self._taken: dict[tuple[str, int], list[int]] = {}

    def take(self, user_id: str, count: int, *, per_minute: int) -> Taken:
        return self._take(user_id, count, per_minute, HOUR_MS // 60)

    def take_all(self, counts: Mapping[str, int], *, per_minute: int) -> dict[str, Taken]:
        return {name: self.take(name, n, per_minute=per_minute) for name, n in counts.items()}

    def take_hourly(self, user_id: str, count: int, *, per_hour: int) -> Taken:
        return self._take(user_id, count, per_hour, HOUR_MS)

    def _take(self, user_id: str, count: int, limit: int, within_ms: int) -> Taken:
        now, key = self._clock(), (user_id, within_ms)
        recent = [at for at in self._taken.get(key, []) if at > now - within_ms]
        granted = min(count, max(0, limit - len(recent)))
        self._taken[key] = recent + [now] * granted
        if granted == count:
            return Taken(granted)
        return Taken(granted, max(1, -(-(self._taken[key][0] + within_ms - now) // 1000)))
