"""Numbered migrations: each once and in order, with data in place, by many at once."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from playhouse.pool import PooledSqliteDatabase

from hoist.adapters import sql_migrations as migrations
from hoist.adapters.sql import SqlMetadata
from hoist.adapters.sql_database import connect
from hoist.domain.account import Account
from hoist.domain.errors import Outdated, Unavailable
from hoist.domain.sharing import Downloads, Share

NAMES = [migration.name for migration in migrations.known()]


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request):
    """The URL of a database without any table."""
    return request.getfixturevalue(f"empty_{request.param}")


@pytest.fixture
def dialect(empty):
    return connect(empty)


@pytest.fixture
def store(dialect):
    with closing(SqlMetadata(dialect)) as store:
        yield store


def run(url, statement):
    """*statement*, by somebody else."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            return file.execute(statement).fetchall()
    with psycopg.connect(url) as server:
        found = server.execute(statement)
        return found.fetchall() if found.description else []


def test_they_are_numbered_without_a_gap():
    assert [int(re.match(r"\d{4}(?=_[a-z_]+$)", name)[0]) for name in NAMES] == [
        *range(1, len(NAMES) + 1)
    ]


def test_a_store_that_lacks_one_is_not_ready_and_says_what_to_run(dialect, store, user):
    for ask in (store.ready, lambda: store.shares(user)):
        with pytest.raises(Unavailable, match="run: hoist admin migrate"):
            ask()
    for version in range(len(NAMES)):
        migrations.migrate(dialect, up_to=version)
        with pytest.raises(Unavailable, match="run: hoist admin migrate"):
            store.ready()
    store.migrate()
    store.ready()


def test_each_is_applied_once_and_in_order(empty, store):
    assert store.migrate() == NAMES
    assert store.migrate() == []
    assert run(empty, "SELECT name FROM schema_migrations ORDER BY applied_at_ms, version") == [
        (name,) for name in NAMES
    ]


@pytest.mark.parametrize("version", range(1, len(NAMES)))
def test_rows_of_an_older_database_are_there_after_the_upgrade(
    dialect, store, record, user, version
):
    migrations.migrate(dialect, up_to=version)
    row, account = record("m"), replace(Account(user).reserve("f", 10, 5000), version=1)
    share, history = Share(user, "s", row.file_id, 7), Downloads(user, row.file_id, version=1)
    assert store.write([(row, account)]) == [True]
    if version >= 2:
        assert store.write([(share,)]) == [True]
    assert store.migrate() == NAMES[version:]
    if version < 2:
        assert store.write([(share,)]) == [True]
    assert store.write([(history,), (replace(row, reason="new", version=2),)]) == [True, True]
    assert len(list(store.scan())) == 4
    assert store.shares(user) == [share]
    assert store.list_by_user(user, limit=5).records == (replace(row, reason="new", version=2),)
    assert store.overdue(account.due_at_ms, limit=5).users == (user,)


def test_of_many_who_migrate_at_once_each_migration_is_applied_by_one(empty):
    def one(_):
        with closing(SqlMetadata(connect(empty))) as store:
            return store.migrate()

    with ThreadPoolExecutor(6) as pool:
        applied = list(pool.map(one, range(6)))
    assert sorted(applied, key=len) == [[]] * 5 + [NAMES]


def test_one_that_fails_leaves_the_database_as_it_was(empty, store):
    run(empty, "CREATE TABLE downloads (somebody_elses TEXT)")
    with pytest.raises(Exception, match="already exists"):
        store.migrate()
    run(empty, "DROP TABLE downloads")
    assert store.migrate() == NAMES


def test_a_database_ahead_of_this_release_is_not_migrated_and_goes_on_working(empty, store, user):
    store.migrate()
    run(empty, "INSERT INTO schema_migrations VALUES (9999, '9999_of_tomorrow', 1)")
    with pytest.raises(Outdated, match="it has seen 9999_of_tomorrow"):
        store.migrate()
    store.ready()
    assert store.shares(user) == []


def test_a_new_file_that_others_turn_to_wal_just_then_is_asked_again(tmp_path, monkeypatch):
    """SQLite does not wait for its lock there: several processes met this now and then."""
    set_pragmas, refused = PooledSqliteDatabase._set_pragmas, []

    def locked_at_first(self, connection):
        if not refused:
            refused.append(error := sqlite3.OperationalError("database is locked"))
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        set_pragmas(self, connection)

    monkeypatch.setattr(PooledSqliteDatabase, "_set_pragmas", locked_at_first)
    with closing(SqlMetadata(connect(f"sqlite:///{tmp_path}/new.db"))) as store:
        assert store.migrate() == NAMES
    assert refused
