"""The SQL database behind a URL: its connections, and what their failures mean.

Both engines hold the same tables and answer the same queries; all they differ in is here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase, PooledSqliteDatabase

from hoist.domain.errors import Unavailable

CONNECTIONS_MAX = 10  # a process; who finds all of them busy waits
PATIENCE_SECONDS = 8
LOCK_MS_MAX = 2_000  # of PostgreSQL's row locks: who holds one for longer is stuck
WHAT = "the metadata store"
SQLITE_TEMPORARY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
POSTGRES_TEMPORARY = {
    "25006",  # read only: we still talk to the one that was the primary
    "25P03",  # idle in transaction: this process was asleep for too long
}
SQLITE_PRAGMAS = {
    "journal_mode": "wal",  # one writes while others read
    "synchronous": "full",  # what is written lasts, also when the power fails
}


class _Postgres(PooledPostgresqlDatabase):  # type: ignore[misc]
    def _is_closed(self, conn: Any) -> bool:
        """Whether the server hung up while *conn* was idle: else the next caller would hear it.

        Waits for nothing. Peewee's own way asks the server: one more journey for each of ours,
        and all others wait for a connection meanwhile.
        """
        try:
            for _ in range(2):  # its last words first, then the end
                conn.pgconn.consume_input()
        except psycopg.OperationalError:
            return True
        return bool(conn.closed)


class _Sqlite(PooledSqliteDatabase):  # type: ignore[misc]
    def _set_pragmas(self, conn: Any) -> None:
        """SQLite itself waits for no lock when several turn one new file to "wal"."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                super()._set_pragmas(conn)
                return
            except sqlite3.OperationalError as error:
                if not _is_temporary(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


@dataclass(frozen=True)
class Dialect:
    """``find`` is the function that finds text in text, ``bytewise`` compares text by bytes.

    ``before_migrations`` lets one migrate at a time, for as long as that takes.
    """

    database: Any  # peewee's, with its pool
    find: str
    bytewise: str
    begin: tuple[str, ...] = ()
    before_migrations: tuple[str, ...] = ()

    def transaction(self) -> Any:
        """What is written in it is written together, or, when it raises, not at all."""
        return self.database.atomic(*self.begin)

    @contextmanager
    def connection(self) -> Iterator[None]:
        """A connection of the pool for what this thread asks now.

        Raises ``Unavailable`` for "down", "locked" and "too busy"; bugs fly.
        """
        try:
            with self.database.connection_context():
                yield
        except MaxConnectionsExceeded as error:
            raise Unavailable(f"{WHAT} is too busy") from error
        except PeeweeException as error:
            cause = getattr(error, "orig", None)
            if _lacks_something(cause):
                raise Unavailable(f"{WHAT} is not up to date, run: hoist admin migrate") from error
            if _is_temporary(cause):
                raise Unavailable(f"{WHAT} is unavailable") from error
            raise


def connect(url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Dialect:
    """The database behind *url*, of one of the schemes in docs/settings.md. Connects at first use.

    Nobody waits longer than *patience_seconds*: for a connection, for a lock, for an answer.
    """
    limits = {"max_connections": CONNECTIONS_MAX, "timeout": patience_seconds}
    patience_ms = int(patience_seconds * 1000)
    if url.startswith("sqlite:///"):
        file = _Sqlite(
            url.removeprefix("sqlite:///"),
            pragmas={"busy_timeout": patience_ms} | SQLITE_PRAGMAS,
            check_same_thread=False,
            **limits,
        )
        # Whoever will write says so at once: two who only read before would wait for each other.
        return Dialect(file, "instr", "COLLATE BINARY", begin=("IMMEDIATE",))
    waits = {
        "statement_timeout": patience_ms,
        "lock_timeout": min(patience_ms, LOCK_MS_MAX),
        "idle_in_transaction_session_timeout": 30_000,
    }
    server = _Postgres(
        url,
        prefer_psycopg3=True,
        connect_timeout=2,
        tcp_user_timeout=patience_ms,
        options=" ".join(f"-c {name}={milliseconds}" for name, milliseconds in waits.items()),
        **limits,
    )
    turns = (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        "SELECT pg_advisory_xact_lock(4500)",
    )
    return Dialect(server, "strpos", 'COLLATE "C"', before_migrations=turns)


def _is_temporary(cause: object) -> bool:
    if isinstance(cause, sqlite3.Error):
        code: int | None = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in SQLITE_TEMPORARY
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return True
    return isinstance(cause, psycopg.Error) and cause.sqlstate in POSTGRES_TEMPORARY


def _lacks_something(cause: object) -> bool:
    """Whether a table or a column is not there."""
    if isinstance(cause, sqlite3.OperationalError):
        return str(cause).startswith("no such ") or "has no column" in str(cause)
    return isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn)
