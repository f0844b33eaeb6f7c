"""How rows look in SQL: a table for each kind, columns for what is queried, and the row itself.

Sparse   the sort columns are set while a list shows the record, ``due_at_ms`` while somebody must
         look at the row
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from peewee import Expression, Table, Tuple, ValuesList, fn
from pydantic_core import from_json, to_json

from hoist.domain.account import Account, account_row_id
from hoist.domain.listing import Listing, Order, fold, sort_key
from hoist.domain.model import FileRecord
from hoist.domain.ports import Key, Row
from hoist.domain.row_json import row_from_json, row_to_json, steps_from_json, steps_to_json
from hoist.domain.sharing import Share, downloads_row_id, share_row_id

T = TypeVar("T")
SORTS = {Order.CREATED: "created_sort", Order.NAME: "name_sort", Order.SIZE: "size_sort"}


@dataclass(frozen=True, eq=False)
class Kind:
    """Rows of one kind: their table, and the column that holds their row id after *prefix*.

    *beside* are columns that hold what the document does not, or not as new.
    """

    name: str
    table: Table
    id: str
    prefix: str
    beside: tuple[str, ...] = ()

    @property
    def columns(self) -> Any:
        return self.table.c

    @property
    def id_column(self) -> Any:
        return getattr(self.table.c, self.id)

    @property
    def key_columns(self) -> Any:
        return Tuple(self.table.c.user_id, self.id_column)

    @property
    def row_columns(self) -> list[Any]:
        """What ``row`` needs."""
        columns = [self.columns.user_id, self.id_column, self.columns.document]
        return [*columns, *(getattr(self.columns, name) for name in self.beside)]

    def row(self, values: Sequence[Any]) -> Row:
        """The row of a result."""
        beside = dict(zip(self.beside, values[3:], strict=True))
        steps = steps_from_json(from_json(beside["steps"])) if "steps" in beside else ()
        found = row_from_json(self.name, from_json(values[2]), steps)
        if isinstance(found, Share):
            # Counted in place, and so newer than the document.
            return replace(found, **beside)
        return found


FILES = Kind("file", Table("files"), "file_id", "", beside=("steps",))
ACCOUNTS = Kind("account", Table("accounts"), "user_id", account_row_id(""))
SHARES = Kind(
    "share", Table("shares"), "share_id", share_row_id(""), beside=("downloads", "version")
)
DOWNLOADS = Kind("downloads", Table("downloads"), "file_id", downloads_row_id(""))
KINDS = (ACCOUNTS, SHARES, DOWNLOADS, FILES)  # that of files has no prefix: any id fits


def place(row: Row) -> tuple[str, str]:
    """Where *row* stands in the one order in which everybody locks rows."""
    return row.row_id, row.user_id


def by_kind(things: Iterable[T], row_id: Callable[[T], str]) -> Mapping[Kind, list[T]]:
    """*things*, each with the kind of the row that *row_id* says it is about."""
    found: dict[Kind, list[T]] = {}
    for thing in things:
        found.setdefault(kind_of(row_id(thing)), []).append(thing)
    return found


def kind_of(row_id: str) -> Kind:
    return next(kind for kind in KINDS if row_id.startswith(kind.prefix))


def is_any_of(kind: Kind, keys: Iterable[Key]) -> Expression:
    places = [(user_id, row_id.removeprefix(kind.prefix)) for user_id, row_id in keys]
    found: Expression = kind.key_columns.in_(ValuesList(places))
    return found


def is_row(kind: Kind, row: Row) -> Expression:
    is_id = kind.id_column == row.row_id.removeprefix(kind.prefix)
    found: Expression = is_id & (kind.columns.user_id == row.user_id)
    return found


def values(row: Row) -> dict[Any, Any]:
    """The row's columns, the document among them."""
    kind = kind_of(row.row_id)
    document = to_json(row_to_json(row)[1]).decode()
    members: dict[str, Any] = {kind.id: row.row_id.removeprefix(kind.prefix)}
    members |= {"user_id": row.user_id, "version": row.version, "document": document}
    if isinstance(row, FileRecord):
        members |= _of_file(row)
    elif isinstance(row, Account):
        members["due_at_ms"] = row.due_at_ms
    elif isinstance(row, Share):
        members |= {"file_id": row.file_id, "downloads": row.downloads}
        members["is_revoked"] = int(row.is_revoked)
    return _columns(kind, members)


def _of_file(record: FileRecord) -> dict[str, Any]:
    file = record.file
    return {SORTS[order]: sort_key(record, order) for order in Order} | {
        "status": record.status.value,
        "visibility": file.visibility.value,
        "name": file.name,
        "name_fold": fold(file.name),
        "folder": file.folder,
        "content_type": file.content_type,
        "size": file.size,
        "created_at_ms": record.created_at_ms,
        "due_at_ms": record.due_at_ms,
        "steps": to_json(steps_to_json(record.steps)).decode(),
    }


def _columns(kind: Kind, members: Mapping[str, Any]) -> dict[Any, Any]:
    return {getattr(kind.columns, name): value for name, value in members.items()}


def conditions(
    user_id: str, listing: Listing, position: str | None, *, find: str
) -> Iterator[Expression]:
    """What holds for each file that *listing* shows after *position*.

    *find* is the database's function that finds text in text: 0 when it is not there.
    """
    columns = FILES.columns
    yield columns.user_id == user_id
    for order, (low, high) in listing.ranges().items():
        yield getattr(columns, SORTS[order]).between(low, high)
    if position is not None:
        own = getattr(columns, SORTS[listing.order])
        yield own < position if listing.is_descending else own > position
    if listing.statuses:
        yield columns.status.in_([status.value for status in listing.statuses])
    if listing.visibility:
        yield columns.visibility == listing.visibility.value
    if listing.name_contains:
        yield getattr(fn, find)(columns.name_fold, fold(listing.name_contains)) > 0
    if listing.content_type.endswith("/"):
        yield _begins(columns.content_type, listing.content_type)
    elif listing.content_type:
        yield columns.content_type == listing.content_type
    if listing.folder is not None and not listing.is_deep:
        yield columns.folder == listing.folder
    elif listing.folder:
        below = _begins(columns.folder, listing.folder + "/")
        yield (columns.folder == listing.folder) | below


def _begins(column: Any, text: str) -> Expression:
    """LIKE would take what users wrote for wildcards."""
    return fn.substr(column, 1, len(text)) == text
