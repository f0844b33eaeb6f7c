"""The stored files of a list become one zip, in their folders, in a bounded amount of memory.

hoist.archives -> BuildArchives -> the object store, and "archive.ready" to the user's sockets
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from hoist import telemetry
from hoist.domain.archives import (
    BYTES_MAX,
    FILES_MAX,
    LIVES_SECONDS,
    ArchiveReport,
    ArchiveRequested,
    ArchiveStore,
    stored_only,
)
from hoist.domain.entry_names import entry_names
from hoist.domain.errors import (
    ArchiveTooLarge,
    HoistError,
    NothingToArchive,
    NotStored,
    Rejected,
    Unavailable,
)
from hoist.domain.messages import RETRY_SECONDS
from hoist.domain.model import FileRecord
from hoist.domain.ports import Clock, MetadataStore
from hoist.domain.volatile import EventStream
from hoist.pipeline import events
from hoist.pipeline.delivery import Item

logger = logging.getLogger(__name__)
PAGE = 200
# A function on AWS has 14 minutes; storage may take some of them to join the parts.
BUILD_SECONDS_MAX = 600
PATIENCE_SECONDS = 1800  # from the request, before a dependency that is down fails an archive
READABLE_BY_ALL, ON_UNIX = 0o100644 << 16, 3
# What exactly is in the log and the dead letter; a client learns no more than of any bug.
OUR_FAULT = HoistError("the archive could not be built; this is our fault")
TOO_LATE = Unavailable("the archive was not built within a day; ask for a new one")


@dataclass(frozen=True)
class BuildArchives:
    store: MetadataStore
    archives: ArchiveStore
    events: EventStream
    clock: Clock

    def __call__(self, items: Sequence[Item[ArchiveRequested]]) -> None:
        """Build and tell; of one that was built before, only tell.

        One that cannot be built, whatever the reason, has failed, and is told. A bug is raised as
        well, and fails the archive only when it stands alone: until then another may be to blame.
        """
        for item in items:
            telemetry.bind(item.trace_id)
            report = self.archives.report(item.message.archive_id)
            if report is None:
                self._build(item, is_alone=len(items) == 1)
            elif self._is_open(item.message):
                self._tell(item, report)

    def _build(self, item: Item[ArchiveRequested], *, is_alone: bool) -> None:
        asked = item.message
        if not self._is_open(asked):
            logger.warning("too old to build", extra={"archiveId": asked.archive_id})
            self._end(item, _failed(TOO_LATE))
            return
        try:
            report = self._outcome(item)
        except Unavailable:
            raise
        except Exception:
            if is_alone:
                self._end(item, _failed(OUR_FAULT))
            raise
        self._end(item, report)

    def _end(self, item: Item[ArchiveRequested], report: ArchiveReport) -> None:
        archive_id = item.message.archive_id
        self.archives.settle(archive_id, report)
        told = {"archiveId": archive_id, "files": report.files, "size": report.size}
        logger.info(f"archive {report.state}", extra=told)
        self._tell(item, report)

    def _outcome(self, item: Item[ArchiveRequested]) -> ArchiveReport:
        asked, is_last = item.message, item.journey.attempt > len(RETRY_SECONDS)
        try:
            return self._pack(asked, self._files(asked))
        except Rejected as error:
            return _failed(error)
        except Unavailable as error:
            # Tried again, but not for ever: others wait behind it, and the ladder has an end.
            if self._age_ms(asked) < PATIENCE_SECONDS * 1000 and not is_last:
                raise
            return _failed(error)

    def _files(self, asked: ArchiveRequested) -> list[FileRecord]:
        """All that the list shows. Raises ``ArchiveTooLarge`` or ``NothingToArchive``."""
        listing = stored_only(asked.listing)
        files: list[FileRecord] = []
        position = None
        while True:
            page = self.store.list_by_user(asked.user_id, listing, limit=PAGE, position=position)
            files += page.records
            size = sum(record.file.size for record in files)
            if len(files) > FILES_MAX:
                raise ArchiveTooLarge("files", FILES_MAX, len(files))
            if size > BYTES_MAX:
                raise ArchiveTooLarge("bytes", BYTES_MAX, size)
            position = page.next_position
            if position is None:
                break
        if not files:
            raise NothingToArchive()
        return files

    def _pack(self, asked: ArchiveRequested, files: Sequence[FileRecord]) -> ArchiveReport:
        names = entry_names([(record.file.folder, record.file.name) for record in files])
        ends_ms = self.clock() + BUILD_SECONDS_MAX * 1000
        packed = 0
        with self.archives.writing(asked.archive_id) as stream:
            with ZipFile(stream, "w", ZIP_STORED) as archive:
                for record, name in zip(files, names, strict=True):
                    packed += self._add(archive, record, name, ends_ms)
            if not packed:
                raise NothingToArchive()
            size = stream.tell()
        left_out = len(files) - packed
        return ArchiveReport(state="ready", files=packed, size=size, left_out=left_out or None)

    def _add(self, archive: ZipFile, record: FileRecord, name: str, ends_ms: int) -> bool:
        """Whether *record* was still there."""
        chunks = self.archives.chunks(record)
        try:
            first = next(chunks, b"")
        except NotStored:
            # Deleted since the list was read, most likely: the others are still wanted.
            logger.warning("file left out", extra={"fileId": record.file_id})
            return False
        with archive.open(_entry(record, name), "w") as entry:
            for chunk in self._in_time(chain([first], chunks), ends_ms):
                entry.write(chunk)
        return True

    def _in_time(self, chunks: Iterator[bytes], ends_ms: int) -> Iterator[bytes]:
        for chunk in chunks:
            if self.clock() > ends_ms:
                raise Unavailable(f"the archive was not built in {BUILD_SECONDS_MAX} s")
            yield chunk

    def _is_open(self, asked: ArchiveRequested) -> bool:
        return self._age_ms(asked) < LIVES_SECONDS * 1000

    def _age_ms(self, asked: ArchiveRequested) -> int:
        return self.clock() - asked.requested_at

    def _tell(self, item: Item[ArchiveRequested], report: ArchiveReport) -> None:
        asked = item.message
        event = events.event(
            f"archive.{report.state}",
            asked.user_id,
            at_ms=self.clock(),
            trace_id=item.trace_id,
            archive=events.archive_view(asked.archive_id, asked.requested_at, report),
        )
        self.events.publish([event])


def _failed(error: HoistError) -> ArchiveReport:
    return ArchiveReport(state="failed", error=events.error_view(error))


def _entry(record: FileRecord, name: str) -> ZipInfo:
    at_ms = record.stored.stored_at_ms if record.stored else record.created_at_ms
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    year = min(max(at.year, 1980), 2107)  # what a zip can say
    entry = ZipInfo(name, (year, at.month, at.day, at.hour, at.minute, at.second))
    entry.file_size = record.file.size  # so that zipfile knows who needs zip64
    entry.external_attr, entry.create_system = READABLE_BY_ALL, ON_UNIX
    return entry
