"""File records in a SQL database: PostgreSQL, or SQLite in a file.

Needs    the tables of migrations/, applied by ``hoist admin migrate``
Limits   PostgreSQL: 10 connections a process; SQLite: one machine, and one writer at a time
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from peewee import Query, Select, Tuple
from pydantic_core import from_json

from hoist.adapters import sql_migrations as migrations
from hoist.adapters import sql_tables as tables
from hoist.adapters.sql_database import WHAT, Dialect
from hoist.domain.account import Account, account_row_id, accounts_among
from hoist.domain.errors import Unavailable
from hoist.domain.listing import NEWEST_FIRST, Listing
from hoist.domain.model import FileRecord
from hoist.domain.ports import Change, Key, Overdue, Page, Row
from hoist.domain.row_json import record_from_json
from hoist.domain.sharing import Share

T = TypeVar("T")
KEYS_MAX = 500  # of one query
SCAN_ROWS = 500


class _Lost(Exception):
    """Raised in a transaction to undo it: the *changes* that somebody else was faster with."""

    def __init__(self, changes: set[int]) -> None:
        self.changes = changes


class SqlMetadata:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def get_many(self, keys: Sequence[Key]) -> dict[Key, FileRecord]:
        rows = self.rows(keys)
        return {key: row for key, row in rows.items() if isinstance(row, FileRecord)}

    def accounts(self, user_ids: Sequence[str]) -> dict[str, Account]:
        rows = self.rows([(user_id, account_row_id(user_id)) for user_id in user_ids])
        return accounts_among(rows.values(), user_ids)

    def rows(self, keys: Sequence[Key]) -> dict[Key, Row]:
        found: list[Row] = []
        for kind, mine in tables.by_kind(keys, lambda key: key[1]).items():
            for part in _parts(mine):
                query = kind.table.select(*kind.row_columns).where(tables.is_any_of(kind, part))
                found += map(kind.row, self._all(query))
        return {(row.user_id, row.row_id): row for row in found}

    def shares(self, user_id: str) -> list[Share]:
        kind = tables.SHARES
        query = kind.table.select(*kind.row_columns).where(kind.columns.user_id == user_id)
        rows = map(kind.row, self._all(query))
        return [row for row in rows if isinstance(row, Share)]

    def count_download(self, share: Share) -> Share | None:
        kind, columns = tables.SHARES, tables.SHARES.columns
        counted = {columns.downloads: columns.downloads + 1, columns.version: columns.version + 1}
        is_open = tables.is_row(kind, share) & (columns.is_revoked == 0)
        if share.downloads_max is not None:
            is_open &= columns.downloads < share.downloads_max
        database = self._dialect.database
        with self._dialect.connection(), self._dialect.transaction():
            query = kind.table.update(counted).where(is_open)
            if database.rows_affected(database.execute(query)) != 1:
                return None
            key = (share.user_id, share.row_id)
            found = kind.table.select(*kind.row_columns).where(tables.is_any_of(kind, [key]))
            [values] = found.tuples().execute(database)
        row = kind.row(values)
        return row if isinstance(row, Share) else None

    def write(self, changes: Sequence[Change]) -> list[bool]:
        done = [True] * len(changes)
        rows = [(number, row) for number, change in enumerate(changes) for row in change]
        # Everybody locks rows in one order: nobody ever waits in a circle.
        rows.sort(key=lambda numbered: tables.place(numbered[1]))
        while rows:
            try:
                with self._dialect.connection(), self._dialect.transaction():
                    self._put_all(rows)
                break
            except _Lost as lost:
                # Rare enough to undo all and write the others again.
                for number in lost.changes:
                    done[number] = False
            rows = [(number, row) for number, row in rows if done[number]]
        return done

    def _put_all(self, rows: Sequence[tuple[int, Row]]) -> None:
        """Raises ``_Lost`` after a look at every row, so that one more round is enough."""
        lost: set[int] = set()
        for number, row in rows:
            if number not in lost and not self._put(row):
                lost.add(number)
        if lost:
            raise _Lost(lost)

    def _put(self, row: Row) -> bool:
        kind, values = tables.kind_of(row.row_id), tables.values(row)
        query: Query
        if row.version == 1:
            query = kind.table.insert(values).on_conflict("NOTHING")
        else:
            is_before = kind.columns.version == row.version - 1
            query = kind.table.update(values).where(tables.is_row(kind, row), is_before)
        database = self._dialect.database
        return bool(database.rows_affected(database.execute(query)) == 1)

    def list_by_user(
        self,
        user_id: str,
        listing: Listing = NEWEST_FIRST,
        *,
        limit: int,
        position: str | None = None,
    ) -> Page:
        sort = getattr(tables.FILES.columns, tables.SORTS[listing.order])
        asked = tables.conditions(user_id, listing, position, find=self._dialect.find)
        found = self._all(
            tables.FILES.table.select(tables.FILES.columns.document, sort)
            .where(*asked)
            .order_by(sort.desc() if listing.is_descending else sort.asc())
            .limit(limit + 1)
        )
        records = tuple(record_from_json(from_json(document)) for document, _ in found[:limit])
        return Page(records, found[limit - 1][1] if len(found) > limit else None)

    def owners(self, row_ids: Sequence[str]) -> dict[str, str]:
        owners: dict[str, str] = {}
        for kind, mine in tables.by_kind(row_ids, str).items():
            for part in _parts(mine):
                ids = [row_id.removeprefix(kind.prefix) for row_id in part]
                query = kind.table.select(kind.id_column, kind.columns.user_id)
                found = self._all(query.where(kind.id_column.in_(ids)))
                owners |= {kind.prefix + row_id: user_id for row_id, user_id in found}
        return owners

    def overdue(self, at_ms: int, *, limit: int) -> Overdue:
        due: list[tuple[int, Key]] = []
        for kind in (tables.FILES, tables.ACCOUNTS):
            at = kind.columns.due_at_ms
            query = kind.table.select(at, kind.columns.user_id, kind.id_column)
            found = self._all(query.where(at <= at_ms).order_by(at).limit(limit))
            due += [(due_ms, (user_id, kind.prefix + id)) for due_ms, user_id, id in found]
        keys = [key for _, key in sorted(due)[:limit]]
        users = tuple(user_id for user_id, name in keys if name == account_row_id(user_id))
        return Overdue(tuple(key for key in keys if key[1] != account_row_id(key[0])), users)

    def scan(self) -> Iterator[Row]:
        """Every row; costs a read of all tables. No connection is held between the parts."""
        for kind in tables.KINDS:
            query = kind.table.select(*kind.row_columns)
            query = query.order_by(kind.columns.user_id, kind.id_column)
            found = self._all(query.limit(SCAN_ROWS))
            while found:
                yield from map(kind.row, found)
                after = kind.key_columns > Tuple(*found[-1][:2])
                found = self._all(query.where(after).limit(SCAN_ROWS))

    def ready(self) -> None:
        """Raises ``Unavailable`` when nothing can be written, or the tables need a migration.

        The write that shows it changes no row, but takes what any other takes.
        """
        with self._dialect.connection():
            if migrations.missing(self._dialect):
                raise Unavailable(f"{WHAT} is not up to date, run: hoist admin migrate")
            with self._dialect.transaction():
                kind = tables.SHARES
                nobodys = (kind.columns.user_id == "") & (kind.id_column == "")
                query = kind.table.update({kind.columns.version: 0}).where(nobodys)
                query.execute(self._dialect.database)

    def migrate(self) -> list[str]:
        """Bring the tables up to date; the names of what was applied."""
        return migrations.migrate(self._dialect)

    def close(self) -> None:
        """Give the idle connections back; the next question opens one again."""
        self._dialect.database.close_idle()

    def _all(self, query: Select) -> list[tuple[Any, ...]]:
        with self._dialect.connection():
            return list(query.tuples().execute(self._dialect.database))


def _parts(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(keys), KEYS_MAX):
        yield keys[first : first + KEYS_MAX]
