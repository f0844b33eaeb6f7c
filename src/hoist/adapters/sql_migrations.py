"""The tables' history: numbered files of SQL in migrations/, each applied once and in order.

A statement ends where a line ends with ``;``. They only add, so that processes of the release
before go on working while, and after, a database is brought up to date.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template

from peewee import Table

from hoist.adapters.sql_database import Dialect
from hoist.domain.errors import Outdated

FOLDER = resources.files("hoist.adapters") / "migrations"
APPLIED = Table("schema_migrations")
MADE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at_ms BIGINT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    text: str

    def statements(self, dialect: Dialect) -> list[str]:
        text = Template(self.text).substitute(bytewise=dialect.bytewise)
        return [statement for statement in text.split(";\n") if statement.strip()]


@cache
def known() -> tuple[Migration, ...]:
    """Those of this release, in order."""
    texts = {
        path.name.removesuffix(".sql"): path.read_text()
        for path in FOLDER.iterdir()
        if path.name.endswith(".sql")
    }
    return tuple(Migration(int(name[:4]), name, text) for name, text in sorted(texts.items()))


def migrate(dialect: Dialect, up_to: int | None = None) -> list[str]:
    """Apply what is missing, all or nothing, and return its names.

    A second run does nothing, two at once take turns. Raises ``Outdated`` when the database is
    ahead of this release.
    """
    with dialect.connection(), dialect.transaction():
        for statement in (*dialect.before_migrations, MADE):
            dialect.database.execute_sql(statement)
        _refuse_unknown(dialect)
        wanted = [one for one in missing(dialect) if up_to is None or one.version <= up_to]
        for migration in wanted:
            _apply(dialect, migration)
    return [migration.name for migration in wanted]


def missing(dialect: Dialect) -> list[Migration]:
    """What the database, on an open connection, has not seen yet."""
    applied = _applied(dialect)
    return [migration for migration in known() if migration.version not in applied]


def _refuse_unknown(dialect: Dialect) -> None:
    versions = {migration.version for migration in known()}
    unknown = [name for version, name in _applied(dialect).items() if version not in versions]
    if unknown:
        raise Outdated(f"the database is ahead of this release: it has seen {', '.join(unknown)}")


def _applied(dialect: Dialect) -> dict[int, str]:
    query = APPLIED.select(APPLIED.c.version, APPLIED.c.name).order_by(APPLIED.c.version)
    return dict(query.tuples().execute(dialect.database))


def _apply(dialect: Dialect, migration: Migration) -> None:
    for statement in migration.statements(dialect):
        dialect.database.execute_sql(statement)
    members = (migration.version, migration.name, time.time_ns() // 1_000_000)
    columns = (APPLIED.c.version, APPLIED.c.name, APPLIED.c.applied_at_ms)
    row = dict(zip(columns, members, strict=True))
    APPLIED.insert(row).execute(dialect.database)
