"""Part of step 3: what the events of ``hoist.metadata`` make of the rows they are about.

The same events in the same order make the same rows, whoever folds them: so the store can be
rebuilt. But for one decision that needs the books of the moment: ``_fitting``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hoist import telemetry
from hoist.domain import lifecycle
from hoist.domain.account import Account, account_row_id, accounts_among
from hoist.domain.errors import Unavailable
from hoist.domain.metadata import MetadataEvent
from hoist.domain.model import KEPT, FileRecord, Status
from hoist.domain.policy import Policy
from hoist.domain.ports import Key, MetadataStore, Row
from hoist.pipeline.delivery import Item
from hoist.pipeline.effects import effect
from hoist.pipeline.steps import with_steps

WRITE_ATTEMPTS = 8
ROWS_MAX = 99  # of one user in one change: with the account, 100 rows

ByKey = dict[Key, list[Item[MetadataEvent]]]


@dataclass
class Folded:
    """What became of a batch: each row as it is now, and which of them were written."""

    rows: dict[Key, Row | None] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)

    def files(self) -> dict[Key, FileRecord]:
        return {key: row for key, row in self.rows.items() if isinstance(row, FileRecord)}


@dataclass(frozen=True)
class FoldMetadata:
    store: MetadataStore
    policy: Callable[[], Policy]
    has_reservations: bool = True

    def __call__(self, by_key: ByKey) -> Folded:
        """Fold each row's events into it, and into its user's account, until no write loses.

        Events that were folded before change nothing. Raises ``Unavailable``.
        """
        folded = Folded()
        for part in _parts(by_key):
            self._fold(part, folded)
        return folded

    def _fold(self, by_key: ByKey, folded: Folded) -> None:
        open_keys = list(by_key)
        for _ in range(WRITE_ATTEMPTS):
            users = sorted({user_id for user_id, _ in open_keys})
            current, accounts = self._read(open_keys, users)
            changes: list[list[Row]] = []
            for user_id in users:
                rows = {key: current.get(key) for key in open_keys if key[0] == user_id}
                changes += self._changes(rows, accounts[user_id], by_key, folded)
            done = self.store.write(changes) if changes else []
            lost: set[str] = set()
            for change, is_done in zip(changes, done, strict=True):
                if is_done:
                    folded.changed |= {(row.user_id, row.row_id) for row in change} & set(by_key)
                else:
                    lost.add(change[0].user_id)
            open_keys = [key for key in open_keys if key[0] in lost]
            if not open_keys:
                return
        raise Unavailable(f"{len(open_keys)} rows are written by someone else all the time")

    def _read(
        self, keys: Sequence[Key], users: Sequence[str]
    ) -> tuple[dict[Key, Row], dict[str, Account]]:
        """The rows under *keys* and the users' accounts, in one question to the store."""
        found = self.store.rows([*keys, *((user, account_row_id(user)) for user in users)])
        return found, accounts_among(found.values(), users)

    def _changes(
        self, current: Mapping[Key, Row | None], account: Account, by_key: ByKey, folded: Folded
    ) -> list[list[Row]]:
        """What one user's events change: rows and books together where the books change."""
        books = account
        rows: list[Row] = []
        for key, before in current.items():
            after = self._row(before, key, by_key[key], books)
            if after is not None and after != before:
                after = replace(after, version=before.version + 1 if before else 1)
                rows.append(after)
            folded.rows[key] = after
            if isinstance(after, FileRecord):
                books = books.settle(before if isinstance(before, FileRecord) else None, after)
        if books == account:
            return [[row] for row in rows]
        return [[*rows, replace(books, version=account.version + 1)]]

    def _row(
        self,
        before: Row | None,
        key: Key,
        items: Sequence[Item[MetadataEvent]],
        account: Account,
    ) -> Row | None:
        row = before
        for item in items:
            after = effect(row, key, item)
            row = with_steps(after, item, telemetry.worker()) if after != row else row
        return self._fitting(before, row, account) if isinstance(row, FileRecord) else row

    def _fitting(self, before: Row | None, row: FileRecord, account: Account) -> FileRecord:
        """*row*, rejected when it becomes a file after its end, and there is no room any more.

        Room was kept for it as long as its reservation lasts; a store that is rebuilt has none.
        """
        was = before.status if isinstance(before, FileRecord) else None
        if row.status is not Status.STORED or was in KEPT or row.stored is None:
            return row
        came_late = was in (Status.EXPIRED, Status.MISSING)
        if came_late or (self.has_reservations and row.file_id not in account.reservations):
            quota = self.policy().tier(row.tier).storage_quota
            others = account.release(row.file_id)  # its own new grant is this very room
            if others.in_use_bytes + row.stored.size > quota:
                return lifecycle.rejected(row, "it came after its URL expired, and does not fit")
        return row


def by_row(items: Sequence[Item[MetadataEvent]]) -> ByKey:
    """The events of a batch under each row that they are about, in order."""
    by_key: ByKey = {}
    for item in items:
        for row_id in item.message.row_ids:
            by_key.setdefault((item.message.user_id, row_id), []).append(item)
    return by_key


def _parts(by_key: ByKey) -> Iterator[ByKey]:
    """The batch in pieces that one transaction a user can take: nearly always just one."""
    piece: ByKey = {}
    for key in sorted(by_key):
        if sum(user_id == key[0] for user_id, _ in piece) == ROWS_MAX:
            yield piece
            piece = {}
        piece[key] = by_key[key]
    yield piece
