"""For operators: where storage, rows and books disagree, and what mends it.

Younger things than an upload's life are left alone: they are on their way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from hoist import telemetry
from hoist.domain.account import GRACE_MS, Account, Reservation
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import FileMissing, MetadataEvent
from hoist.domain.model import KEPT, UNWANTED, FileRecord, Status, file_id_of_key
from hoist.domain.policy import Policy
from hoist.domain.ports import (
    Clock,
    Found,
    Inventory,
    LogReader,
    MessageLog,
    MetadataScan,
    MetadataStore,
    ObjectStore,
)
from hoist.pipeline import events
from hoist.pipeline.lost_rows import owners

UNKNOWN_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be.

    ``mend`` says what ``repair``, if any, does. ``repair`` returns whether it could: not, when
    somebody wrote meanwhile.
    """

    kind: str
    subject: str
    detail: str
    mend: str
    repair: Callable[[], bool] | None = field(repr=False, compare=False)


@dataclass(frozen=True)
class Reconcile:
    """Holds every row in memory while it runs: about 1 KB a file.

    ``open_log`` makes a reader that begins with the log's beginning. It is read only when storage
    has something old that no row knows: what the log knows is never removed.
    """

    store: MetadataStore
    scan: MetadataScan
    objects: ObjectStore
    inventory: Inventory
    log: MessageLog
    open_log: Callable[[], LogReader]
    policy: Callable[[], Policy]
    clock: Clock
    grace_seconds: int
    topic_prefix: str = ""

    def __call__(self, unknown_seconds: int = UNKNOWN_SECONDS) -> Iterator[Difference]:
        """Every difference there is now; nothing is changed until ``repair`` is called.

        What no row knows may belong to an event that still waits in the log: such things are left
        alone until they are *unknown_seconds* old. Raises ``Unavailable``.
        """
        tiers = self.policy().tiers.values()
        life_seconds = max(tier.url_expires_seconds for tier in tiers) + self.grace_seconds
        before = self.clock() - life_seconds * 1000
        # Storage first: what is stored meanwhile then has its row, and not the other way round.
        found = {item.key: item for item in self.inventory.objects()}
        uploads = list(self.inventory.open_uploads())
        # Accounts before rows: what is settled between makes the account newer than its repair.
        accounts = [row for row in self.scan.scan() if isinstance(row, Account)]
        records = {row.file_id: row for row in self.scan.scan() if isinstance(row, FileRecord)}
        unknown = min(before, self.clock() - unknown_seconds * 1000)
        old = (item for item in (*found.values(), *uploads) if item.since_ms <= unknown)
        strange = {file_id_of_key(item.key) for item in old} - records.keys()
        lost = owners(self.open_log(), self.topic_prefix, strange) if strange else {}
        yield from map(_lost_row, lost, lost.values())
        found = {key: item for key, item in found.items() if file_id_of_key(key) not in lost}
        uploads = [item for item in uploads if file_id_of_key(item.key) not in lost]
        yield from self._of_objects(found, records, before, unknown)
        yield from self._of_uploads(uploads, records, before, unknown)
        yield from self._of_records(found, records)
        yield from self._of_accounts(accounts, records)

    def _of_objects(
        self,
        found: dict[str, Found],
        records: dict[str, FileRecord],
        before_ms: int,
        unknown_ms: int,
    ) -> Iterator[Difference]:
        for item in found.values():
            row = records.get(file_id_of_key(item.key) or "")
            if item.since_ms > (before_ms if row else unknown_ms):
                continue
            if row is None or row.status in UNWANTED:
                detail = f"no file wants this object; its row: {row.status if row else 'none'}"
                yield Difference(
                    "object_without_file", item.key, detail, "delete it", self._remover(item)
                )
            elif row.status is Status.ARRIVED:
                yield Difference(
                    "object_unclaimed",
                    item.key,
                    "its request never came",
                    "nothing: look for it among the dead letters",
                    None,
                )
            elif row.status not in KEPT:
                detail, mend = f"its row is {row.status}", self._recorder(row)
                yield Difference("object_not_recorded", item.key, detail, "record it", mend)

    def _of_uploads(
        self,
        uploads: list[Found],
        records: dict[str, FileRecord],
        before_ms: int,
        unknown_ms: int,
    ) -> Iterator[Difference]:
        for item in uploads:
            row = records.get(file_id_of_key(item.key) or "")
            is_wanted = (
                row is not None
                and row.status is Status.PENDING
                and row.multipart is not None
                and row.multipart.upload_id == item.upload_id
            )
            if not is_wanted and item.since_ms <= (before_ms if row else unknown_ms):
                detail = "no pending upload knows these parts"
                yield Difference("open_parts", item.key, detail, "abort them", self._remover(item))

    def _of_records(
        self, found: dict[str, Found], records: dict[str, FileRecord]
    ) -> Iterator[Difference]:
        now = self.clock()
        for row in records.values():
            if row.status is Status.STORED and row.s3_key not in found:
                if self.objects.head(row.s3_key):
                    continue  # stored while we looked
                event = FileMissing(user_id=row.user_id, file_id=row.file_id)
                detail = f"{row.file.name!r} of {row.user_id} is stored, but storage has nothing"
                yield Difference(
                    "file_without_object",
                    row.file_id,
                    detail,
                    "mark it missing",
                    self._teller(row, event),
                )
            size = found[row.s3_key].size if row.s3_key in found else None
            if row.status is Status.STORED and size not in (None, row.file.size):
                yield Difference(
                    "object_differs",
                    row.file_id,
                    f"recorded with {row.file.size} bytes, storage has {size}",
                    "nothing: somebody wrote to the bucket behind the service's back",
                    None,
                )
            late_ms = now - row.settle_after_ms - self.grace_seconds * 1000
            if row.status is Status.PENDING and late_ms > 0:
                yield Difference(
                    "upload_overdue",
                    row.file_id,
                    f"pending {late_ms // 1000} s past its end",
                    "nothing: the janitor settles it; see that it runs",
                    None,
                )

    def _of_accounts(
        self, accounts: list[Account], records: dict[str, FileRecord]
    ) -> Iterator[Difference]:
        stored: dict[str, int] = {}
        for row in records.values():
            if row.status in KEPT and row.stored:
                stored[row.user_id] = stored.get(row.user_id, 0) + row.stored.size
        for account in accounts:
            used = stored.get(account.user_id, 0)
            ended = [
                name
                for name, held in account.reservations.items()
                if self._is_over(held, records.get(name))
            ]
            if account.used_bytes != used or ended:
                detail = (
                    f"the books say {account.used_bytes} bytes, the files {used}; "
                    f"{len(ended)} reservations have ended"
                )
                yield Difference(
                    "books_differ",
                    account.user_id,
                    detail,
                    "write them anew",
                    self._bookkeeper(account, used, ended),
                )

    def _is_over(self, held: Reservation, row: FileRecord | None) -> bool:
        """Its upload ended; or there is none, and the janitor should have seen so by now."""
        wait_ms = self.grace_seconds * 1000 + (0 if row else GRACE_MS)
        is_late = held.until_ms + wait_ms < self.clock()
        return is_late and (row is None or row.status is not Status.PENDING)

    def _remover(self, item: Found) -> Callable[[], bool]:
        def remove() -> bool:
            self.inventory.remove(item)
            return True

        return remove

    def _recorder(self, row: FileRecord) -> Callable[[], bool]:
        def record() -> bool:
            found = self.objects.head(row.s3_key)
            return found is not None and self._teller(row, events.stored(row, found))()

        return record

    def _teller(self, row: FileRecord, event: MetadataEvent) -> Callable[[], bool]:
        trace_id = row.trace.get("id") or telemetry.new_trace()
        message = events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)

        def tell() -> bool:
            self.log.append([message])
            return True

        return tell

    def _bookkeeper(self, account: Account, used: int, ended: list[str]) -> Callable[[], bool]:
        after = replace(account, used_bytes=used, version=account.version + 1)
        for name in ended:
            after = after.release(name)

        return lambda: self.store.write([(after,)])[0]


def _lost_row(file_id: str, user_id: str) -> Difference:
    return Difference(
        "row_lost",
        file_id,
        f"storage has it and the log tells of it, as a file of {user_id}; no row does",
        "nothing: make the store anew from the log with `hoist admin rebuild`",
        None,
    )
