"""hoist admin migrate, as an operator runs it: only HOIST_STORE has to be right."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import MISSING, fields

import pytest

from hoist.adapters.sql_migrations import known
from hoist.config import Settings

REQUIRED = [f"HOIST_{one.name.upper()}" for one in fields(Settings) if one.default is MISSING]


def migrate(store):
    """Anybody's AWS settings will do: nothing of AWS is asked."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HOIST_")}
    env = own | dict.fromkeys(REQUIRED, "x") | {"HOIST_STORE": store}
    env |= {"AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(
        [sys.executable, "-c", "from hoist.cli import main; main()", "admin", "migrate"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_says_what_it_applied_and_that_nothing_is_left(tmp_path):
    store = f"sqlite:///{tmp_path / 'store.db'}"
    first, second = migrate(store), migrate(store)
    names = [f"applied {one.name}" for one in known()]
    assert first.stderr.splitlines() == [*names, "The store is up to date."]
    assert second.stderr.splitlines() == ["The store is up to date."]
    assert first.returncode == second.returncode == 0


def test_a_store_that_is_away_is_exit_code_4(tmp_path):
    told = migrate(f"sqlite:///{tmp_path}/no/folder/store.db")
    assert told.returncode == 4
    assert "try again when it is back" in told.stderr


def test_a_store_of_a_newer_release_is_refused(tmp_path):
    path = tmp_path / "store.db"
    migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO schema_migrations VALUES (9999, '9999_of_tomorrow', 1)")
    told = migrate(f"sqlite:///{path}")
    assert told.returncode == 1
    assert "9999_of_tomorrow" in told.stderr


def test_a_table_of_dynamodb_needs_none():
    assert migrate("dynamodb://files").stderr == "The store is up to date.\n"


@pytest.mark.parametrize(
    "store",
    [
        "mysql://ada:secret@127.0.0.1/files",
        "postgres://ada:secret@127.0.0.1/files",
        "postgresql://ada:secret@127.0.0.1",
        "sqlite://store.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "dynamodb://",
        "hoist-files",
        "",
    ],
)
def test_a_store_that_makes_no_sense_is_refused_without_repeating_it(store):
    told = migrate(store)
    assert told.returncode != 0
    assert "HOIST_STORE is dynamodb://TABLE, sqlite:///PATH or postgresql://" in told.stderr
    assert "secret" not in told.stderr
    assert "Traceback" not in told.stderr
