"""What a list of files shows, and in which order. ``matches`` says what a filter means; stores
translate it, and may use ``ranges``: each record has one sort key an order, compared by bytes.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass
from enum import StrEnum

from pydantic import ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from hoist.domain.model import FileRecord, Status, Visibility

SEPARATOR, AFTER_SEPARATOR = "\x1f", "\x20"  # below, and the first of, what a folded name holds
DIGITS = 15  # of a time in ms, or a size in bytes
NAME_KEY_BYTES_MAX = 900  # DynamoDB takes 1,024 for a whole sort key


class Order(StrEnum):
    CREATED = "created"
    NAME = "name"
    SIZE = "size"


def fold(name: str) -> str:
    """*name* for comparing: case and the two spellings of accents make no difference."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return "".join(char if char >= " " else " " for char in folded)


def sort_key(record: FileRecord, order: Order) -> str | None:
    """Where *record* stands in its user's list; None when no list shows it.

    Equal values stand in the order of their file ids.
    """
    section = _section(is_trash=record.status is Status.DELETED)
    if not record.is_listed and record.status is not Status.DELETED:
        return None
    if order is Order.CREATED:
        value = _number(record.created_at_ms)
    elif order is Order.SIZE:
        value = _number(record.file.size)
    else:
        cut = fold(record.file.name).encode()[:NAME_KEY_BYTES_MAX]
        value = cut.decode(errors="ignore")
    return SEPARATOR.join((section, value, record.file_id))


def file_id_of_sort_key(key: str) -> str:
    return key.rpartition(SEPARATOR)[2]


@dataclass(frozen=True, slots=True)
class Listing:
    """Members that are None, or empty, ask for nothing.

    Times are in ms and sizes in bytes, ``_from`` and ``_min`` inclusive, ``_to`` exclusive and
    ``_max`` inclusive. ``content_type`` may end in ``/`` for all of a kind. ``folder`` is exactly
    that folder ("" is the top), with ``is_deep`` also what is below it. The trash is a list of its
    own.
    """

    order: Order = Order.CREATED
    is_descending: bool = True
    is_trash: bool = False
    statuses: frozenset[Status] = frozenset()
    visibility: Visibility | None = None
    name_contains: str = ""
    content_type: str = ""
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    size_min: int | None = None
    size_max: int | None = None
    folder: str | None = None
    is_deep: bool = False

    # In a message: a filter that is not known must not be passed over, the list would be longer.
    __pydantic_config__ = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid"
    )

    def matches(self, record: FileRecord) -> bool:
        """Whether the list shows *record*, somewhere."""
        file, kind = record.file, record.file.content_type
        return all(
            (
                record.status is Status.DELETED if self.is_trash else record.is_listed,
                not self.statuses or record.status in self.statuses,
                self.visibility in (None, file.visibility),
                fold(self.name_contains) in fold(file.name),
                kind.startswith(self.content_type)
                if self.content_type.endswith("/")
                else self.content_type in ("", kind),
                self.created_from_ms is None or record.created_at_ms >= self.created_from_ms,
                self.created_to_ms is None or record.created_at_ms < self.created_to_ms,
                self.size_min is None or file.size >= self.size_min,
                self.size_max is None or file.size <= self.size_max,
                self._holds(file.folder),
            )
        )

    def canonical(self) -> str:
        """The same text for the same list, and for no other."""
        members = asdict(self) | {"statuses": sorted(self.statuses)}
        return json.dumps(members, sort_keys=True)

    def ranges(self) -> dict[Order, tuple[str, str]]:
        """For each order that narrows the list, both ends of its sort keys, never met exactly.

        The list's own order is always there: its range keeps the trash and the list apart.
        """
        section = _section(is_trash=self.is_trash)
        whole = (section + SEPARATOR, section + AFTER_SEPARATOR)

        def narrowed(low: int | None, high: int | None) -> tuple[str, str]:
            bounds = [
                whole[end] if number is None else section + SEPARATOR + _number(max(number, 0))
                for end, number in enumerate((low, high))
            ]
            return bounds[0], max(bounds)  # a store may refuse ends that are swapped

        after = None if self.size_max is None else self.size_max + 1
        found = {self.order: whole}
        if self.created_from_ms is not None or self.created_to_ms is not None:
            found[Order.CREATED] = narrowed(self.created_from_ms, self.created_to_ms)
        if self.size_min is not None or after is not None:
            found[Order.SIZE] = narrowed(self.size_min, after)
        return found

    def _holds(self, folder: str) -> bool:
        if self.folder is None or folder == self.folder:
            return True
        return self.is_deep and (not self.folder or folder.startswith(self.folder + "/"))


NEWEST_FIRST = Listing()
_LISTING = TypeAdapter(Listing)


def listing_of(canonical: str) -> Listing:
    """The list that ``canonical`` gave this text."""
    return _LISTING.validate_json(canonical)


def _section(*, is_trash: bool) -> str:
    return "trash" if is_trash else "files"


def _number(number: int) -> str:
    return f"{min(number, 10**DIGITS - 1):0{DIGITS}d}"
