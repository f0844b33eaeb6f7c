"""Part of the doctor: storage against rows and books, and whether every row is who it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from hoist.domain.model import FileRecord, file_id, s3_key
from hoist.domain.ports import Found, Inventory, MetadataScan, MetadataStore
from hoist.pipeline.doctor import Finding, Seen, amount, command
from hoist.pipeline.reconcile import UNKNOWN_SECONDS, Difference, Reconcile

BETWEEN_SECONDS = 1.0
REBUILD = command("hoist", "admin", "rebuild", "--into", "STORE")
REBUILD_ADVICE = "STORE is a new, empty one: point HOIST_STORE at it when it is done"


@dataclass
class Counting:
    """An inventory that counts what passes."""

    inner: Inventory
    kept: int = 0
    uploads: int = 0

    def objects(self) -> Iterator[Found]:
        for found in self.inner.objects():
            self.kept += 1
            yield found

    def open_uploads(self) -> Iterator[Found]:
        for found in self.inner.open_uploads():
            self.uploads += 1
            yield found

    def remove(self, found: Found) -> None:
        self.inner.remove(found)


@dataclass(frozen=True)
class CheckStorage:
    """Costs what ``Reconcile`` costs, twice when it finds something."""

    reconcile: Reconcile
    bucket: str
    sleep: Callable[[float], None]
    unknown_seconds: int = UNKNOWN_SECONDS

    def __call__(self) -> Seen:
        found, counted = self._look()
        if found:
            self.sleep(BETWEEN_SECONDS)
            again, counted = self._look()
            found = {key: one for key, one in again.items() if key in found}
        parts = amount(counted.uploads, "upload in parts", "uploads in parts")
        what = f"{amount(counted.kept, 'object')} and {parts}, against rows and books"
        return Seen(what, tuple(map(self._finding, found.values())))

    def _look(self) -> tuple[dict[tuple[str, ...], Difference], Counting]:
        counted = Counting(self.reconcile.inventory)
        differences = replace(self.reconcile, inventory=counted)(self.unknown_seconds)
        return {_key(one): one for one in differences}, counted

    def _finding(self, one: Difference) -> Finding:
        words = ["hoist", "admin", "reconcile", "--repair"]
        if self.unknown_seconds != UNKNOWN_SECONDS:
            words += ["--unknown-after", str(self.unknown_seconds)]
        repair = command(*words)
        mend, advice = repair, one.mend
        if one.kind == "object_differs":
            place = f"s3://{self.bucket}/{s3_key(one.subject)}"
            mend, advice = f"aws s3 rm {place} && {repair}", "deletes it, and marks it missing"
        elif one.kind == "object_unclaimed":
            mend, advice = command("hoist", "admin", "dlq", "list"), "its request may be there"
        elif one.kind == "books_differ":
            advice = "look with --deep first, a row may be lost; then it writes them anew"
        elif one.kind == "row_lost":
            mend, advice = REBUILD, REBUILD_ADVICE
        elif one.kind == "upload_overdue":
            mend, advice = "python -m hoist.workers janitor", "the janitor settles it: start it"
        return Finding(one.kind, one.subject, one.detail, mend, advice)


def _key(one: Difference) -> tuple[str, ...]:
    """Equal for the same difference at another time; books are written while we count."""
    books = (one.detail,) if one.kind == "books_differ" else ()
    return (one.kind, one.subject, *books)


@dataclass(frozen=True)
class CheckRows:
    """Reads every row once; keeps none."""

    scan: MetadataScan
    store: MetadataStore

    def __call__(self) -> Seen:
        count, findings = 0, []
        for row in self.scan.scan():
            count += 1
            # One whose request has not come yet does not know its message.
            if isinstance(row, FileRecord) and row.message_id:
                right = file_id(row.user_id, row.message_id)
                if row.file_id != right:
                    findings.append(self._finding(row, right))
        return Seen(f"{amount(count, 'row')}, each under its own id", tuple(findings))

    def _finding(self, row: FileRecord, right: str) -> Finding:
        subject = f"{row.user_id}/{row.file_id}"
        if self.store.get_many([(row.user_id, right)]):
            detail = f"messageId {row.message_id!r} has this row, and {right}"
            return Finding("duplicate", subject, detail, REBUILD, REBUILD_ADVICE)
        detail = f"its id is {row.file_id}, of messageId {row.message_id!r} it should be {right}"
        return Finding("wrong_id", subject, detail, REBUILD, REBUILD_ADVICE)
