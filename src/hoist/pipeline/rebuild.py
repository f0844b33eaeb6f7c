"""For operators: the store made anew from the log, and compared with the one in use.

hoist.metadata, from its beginning -> FoldMetadata -> an empty store
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice

from hoist import telemetry
from hoist.domain.account import Account
from hoist.domain.errors import InvalidRequest, Malformed
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import MetadataEvent, metadata_event_from_json
from hoist.domain.model import FileRecord, Status
from hoist.domain.ports import Key, LogReader, MetadataScan, MetadataStore, Received, Row
from hoist.domain.sharing import Downloads
from hoist.pipeline.delivery import Item
from hoist.pipeline.fold import FoldMetadata, by_row

logger = logging.getLogger(__name__)
BATCH = 200
ROUNDS = 5  # events that come meanwhile make differences, until they are folded as well


@dataclass(frozen=True, slots=True)
class Unlike:
    """A row that is not the same in both stores; None where there is none."""

    key: Key
    live: Row | None
    rebuilt: Row | None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many events were folded, how many nobody can read, and what differs in the end.

    ``unlike`` is what two rounds in a row found, with the same live row: what is written between
    the log's reading and the store's differs in each round. It is empty as well when nothing was
    compared.
    """

    events: int
    unreadable: int
    rows: int
    unlike: tuple[Unlike, ...]


@dataclass(frozen=True)
class Rebuild:
    """Holds every row of both stores in memory while it compares: about 2 KB a file."""

    reader: LogReader
    fold: FoldMetadata
    target: MetadataStore
    target_scan: MetadataScan
    live_scan: MetadataScan
    topic_prefix: str = ""

    def __call__(self, *, is_compared: bool = True) -> Rebuilt:
        """Raises ``InvalidRequest`` when the target is not empty, ``Unavailable``."""
        if list(islice(self.target_scan.scan(), 1)):
            raise InvalidRequest("the store to rebuild into is not empty")
        events = unreadable = 0
        rows, unlike, before = 0, dict[Key, Unlike](), dict[Key, Unlike]()
        for _ in range(ROUNDS):
            for batch in self.reader.read(self.topic_prefix + METADATA_TOPIC):
                items = list(_readable(batch))
                events += len(items)
                unreadable += len(batch) - len(items)
                for first in range(0, len(items), BATCH):
                    self.fold(by_row(items[first : first + BATCH]))
            self._reserve()
            rebuilt = _comparable(self.target_scan)
            rows = len(rebuilt)
            if not is_compared:
                break
            before, unlike = unlike, self._unlike(rebuilt)
            if not unlike:
                break
        lasting = (
            one for key, one in unlike.items() if key in before and before[key].live == one.live
        )
        return Rebuilt(events, unreadable, rows, tuple(lasting))

    def _unlike(self, rebuilt: Mapping[Key, Row]) -> dict[Key, Unlike]:
        live = _comparable(self.live_scan)
        return {
            key: Unlike(key, live.get(key), rebuilt.get(key))
            for key in sorted(rebuilt.keys() | live.keys())
            if live.get(key) != rebuilt.get(key)
        }

    def _reserve(self) -> None:
        """Room for what is pending: reservations are made before the log hears of an upload."""
        pending: dict[str, list[FileRecord]] = {}
        for row in self.target_scan.scan():
            if isinstance(row, FileRecord) and row.status is Status.PENDING:
                pending.setdefault(row.user_id, []).append(row)
        for user_id, account in self.target.accounts(list(pending)).items():
            books = account
            for row in pending[user_id]:
                books = books.reserve(row.file_id, row.file.size, row.settle_after_ms)
            if books != account:
                self.target.write([(replace(books, version=account.version + 1),)])


def what_differs(one: Unlike) -> str:
    """*one* in words, for operators."""
    if not one.live:
        return "only rebuilt"
    if not one.rebuilt:
        return "only in the store in use"
    names = [member.name for member in fields(one.rebuilt)]
    other = [name for name in names if getattr(one.live, name) != getattr(one.rebuilt, name)]
    return "another " + ", ".join(other)


def _readable(batch: Sequence[Received]) -> Iterator[Item[MetadataEvent]]:
    for record in batch:
        trace_id = telemetry.trace_of(record.headers) or telemetry.new_trace()
        try:
            yield Item(metadata_event_from_json(record.value), trace_id, record)
        except Malformed as error:
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            told = place | {"code": error.code, "reason": str(error)}
            logger.warning("this release cannot read an event", extra=told)


def _comparable(scan: MetadataScan) -> dict[Key, Row]:
    """Each row without what depends on how often, and by whom, it was written."""
    rows = {(row.user_id, row.row_id): row for row in scan.scan()}
    pending = {
        key[1] for key, row in rows.items() if isinstance(row, FileRecord) and _is_pending(row)
    }
    return {key: one for key, row in rows.items() if (one := _neutral(row, pending))}


def _neutral(row: Row, pending: set[str]) -> Row | None:
    if isinstance(row, FileRecord):
        # A record that went up the ladder was done later there than it stands in the log.
        steps = sorted(row.steps, key=lambda step: (step.topic, step.partition, step.offset))
        told = tuple(replace(step, recorded_by="") for step in steps)
        return replace(row, version=0, steps=told)
    if isinstance(row, Downloads):
        last = tuple(sorted(row.last, key=lambda one: one.id))
        return replace(row, version=0, last=last, offset=-1, partition=None)
    if isinstance(row, Account):
        held = {name: replace(one, until_ms=0) for name, one in row.reservations.items()}
        kept = {name: one for name, one in held.items() if name in pending}
        is_empty = not row.used_bytes and not kept
        return None if is_empty else replace(row, version=0, reservations=kept)
    return replace(row, version=0)


def _is_pending(row: FileRecord) -> bool:
    return row.status is Status.PENDING
