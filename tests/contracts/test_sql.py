"""The SQL store beyond the contract: what is down, busy or locked, and who waits for whom."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier

import psycopg
import pytest

from hoist.adapters.sql import SqlMetadata
from hoist.adapters.sql_database import CONNECTIONS_MAX, connect
from hoist.domain.errors import Unavailable
from hoist.domain.listing import Listing, Order
from hoist.domain.model import Status

WRITES = 25


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(request):
    """The URL of an empty database of its own, up to date."""
    return request.getfixturevalue(f"fresh_{request.param}")


def opened(url, **options):
    return closing(SqlMetadata(connect(url, **options)))


def key(row):
    return row.user_id, row.row_id


@pytest.mark.parametrize(
    "url", ["postgresql://ada:secret@127.0.0.1:1/files", "sqlite:////nowhere/at-all/store.db"]
)
def test_a_database_nobody_answers_for_is_unavailable(record, url):
    store = SqlMetadata(connect(url))
    for ask in (
        store.ready,
        store.migrate,
        lambda: store.get_many([("ada", "f")]),
        lambda: store.write([(record("m"),)]),
        lambda: store.list_by_user("ada", limit=1),
        lambda: store.owners(["f"]),
        lambda: store.overdue(1, limit=1),
        lambda: store.shares("ada"),
        lambda: list(store.scan()),
    ):
        with pytest.raises(Unavailable) as told:
            ask()
        assert "secret" not in str(told.value)


def test_writers_of_the_same_rows_in_any_order_never_stand_in_each_others_way(fresh, record):
    """Each round both write the same two rows, the one in the opposite order of the other."""
    rows = [record("a"), record("b")]
    with opened(fresh) as store:
        store.write([(row,) for row in rows])

    def count(is_backwards):
        with opened(fresh) as mine:
            for number in range(WRITES):
                new = [record(f"{number}-{name}") for name in "xyz"]
                mine.write([(row,) for row in (reversed(new) if is_backwards else new)])
                written = [False]
                while not all(written):
                    found = mine.get_many([key(row) for row in rows])
                    both = [replace(row, version=row.version + 1) for row in found.values()]
                    both.sort(key=key, reverse=is_backwards)
                    written = mine.write([tuple(both)])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, [False, True]))
    with opened(fresh) as store:
        found = store.get_many([key(row) for row in rows])
        assert {row.version for row in found.values()} == {1 + 2 * WRITES}


def test_who_finds_every_connection_busy_waits_for_one(fresh, record):
    at_once = CONNECTIONS_MAX * 3
    with opened(fresh) as store, ThreadPoolExecutor(at_once) as pool:
        row = record("m")
        store.write([(row,)])
        asked = [pool.submit(store.get_many, [key(row)]) for _ in range(at_once * 5)]
        assert all(one.result() == {key(row): row} for one in asked)


def test_who_waits_for_a_connection_for_too_long_is_told(fresh, user):
    dialect = connect(fresh, patience_seconds=0.3)
    all_taken, may_go = Barrier(CONNECTIONS_MAX + 1), Barrier(CONNECTIONS_MAX + 1)

    def keep():
        with dialect.connection():
            all_taken.wait()
            may_go.wait()

    with closing(SqlMetadata(dialect)) as store, ThreadPoolExecutor(CONNECTIONS_MAX) as pool:
        kept = [pool.submit(keep) for _ in range(CONNECTIONS_MAX)]
        all_taken.wait()
        with pytest.raises(Unavailable, match="too busy"):
            store.shares(user)
        may_go.wait()
        assert not any(one.result() for one in kept)
        assert store.shares(user) == []


def test_a_locked_file_is_unavailable_to_writers_and_not_to_readers(fresh_sqlite, record):
    with (
        closing(sqlite3.connect(fresh_sqlite.removeprefix("sqlite:///"))) as somebody,
        opened(fresh_sqlite, patience_seconds=0.1) as store,
    ):
        row = record("m")
        somebody.execute("BEGIN IMMEDIATE")
        for ask in (lambda: store.write([(row,)]), store.ready):
            with pytest.raises(Unavailable):
                ask()
        assert store.get_many([key(row)]) == {}
        somebody.rollback()
        assert store.write([(row,)]) == [True]


def test_who_reads_a_file_keeps_nobody_from_writing(fresh_sqlite, record):
    with (
        closing(sqlite3.connect(fresh_sqlite.removeprefix("sqlite:///"))) as somebody,
        opened(fresh_sqlite, patience_seconds=0.1) as store,
    ):
        somebody.execute("BEGIN")
        assert somebody.execute("SELECT count(*) FROM files").fetchone() == (0,)
        assert store.write([(record("m"),)]) == [True]


def test_a_row_that_somebody_holds_for_too_long_is_unavailable(fresh_postgres, record):
    row = record("m")
    with opened(fresh_postgres, patience_seconds=0.3) as store:
        store.write([(row,)])
        with psycopg.connect(fresh_postgres) as somebody:
            somebody.execute("SELECT 1 FROM files FOR UPDATE")
            with pytest.raises(Unavailable):
                store.write([(replace(row, version=2),)])
        assert store.write([(replace(row, version=2),)]) == [True]


def test_connections_that_the_server_closed_are_not_used_again(fresh_postgres, user):
    with opened(fresh_postgres) as store, psycopg.connect(fresh_postgres) as operator:
        assert store.shares(user) == []
        ended = operator.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert ended.fetchall() == [(True,)]
        assert store.shares(user) == []


def test_no_question_of_a_request_reads_a_whole_table_or_sorts_it(fresh_sqlite, user, caplog):
    with opened(fresh_sqlite) as store, caplog.at_level("DEBUG", "peewee"):
        for order in Order:
            for is_descending in (True, False):
                listing = Listing(order, is_descending, statuses=frozenset({Status.STORED}))
                store.list_by_user(user, listing, limit=5, position="files\x1f0\x1f0")
        store.rows(
            [(user, "f"), (user, "account#" + user), (user, "share#s"), (user, "downloads#f")]
        )
        store.shares(user)
        store.owners(["f", "account#u", "share#s", "downloads#f"])
        store.overdue(1, limit=5)
    asked = [note.msg for note in caplog.records if str(note.msg[0]).startswith("SELECT")]
    assert len(asked) == 6 + 4 + 1 + 4 + 2
    with closing(sqlite3.connect(fresh_sqlite.removeprefix("sqlite:///"))) as file:
        for text, members in asked:
            plan = file.execute(f"EXPLAIN QUERY PLAN {text}", members).fetchall()
            steps = [step[3] for step in plan if "CONSTANT ROW" not in step[3]]
            assert all(step.startswith(("SEARCH", "LIST", "USING INDEX")) for step in steps), plan


def test_a_server_that_only_reads_is_not_ready(fresh_postgres, record):
    """As one that was the primary until a moment ago."""
    with closing(psycopg.connect(fresh_postgres, autocommit=True)) as owner:
        name = owner.info.dbname
        owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with opened(fresh_postgres) as store:
        assert store.get_many([("ada", "f")]) == {}
        for ask in (store.ready, lambda: store.write([(record("m"),)])):
            with pytest.raises(Unavailable):
                ask()


def test_a_row_that_somebody_holds_costs_two_seconds_not_eight(fresh_postgres, record):
    """The limit is told by the server, so no clock is asked here."""
    row = record("m")
    with opened(fresh_postgres) as store, closing(psycopg.connect(fresh_postgres)) as somebody:
        store.write([(row,)])
        somebody.execute("SELECT * FROM files FOR UPDATE")
        with pytest.raises(Unavailable) as told:
            store.write([(replace(row, version=2),)])
        assert "lock timeout" in str(told.value.__cause__)
