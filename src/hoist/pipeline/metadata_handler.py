"""Step 3: keep the record of every file, and its owner's books.

hoist.metadata -> ApplyMetadata -> store, then storage and cache are tidied, then the client hears
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hoist import telemetry
from hoist.domain.metadata import MetadataEvent
from hoist.domain.model import UNWANTED, FileRecord, Status
from hoist.domain.ports import Clock, Key, ObjectStore, PartStore
from hoist.domain.volatile import EventStream, Leases, ListCache
from hoist.pipeline.delivery import Item
from hoist.pipeline.fold import ByKey, Folded, FoldMetadata, by_row
from hoist.pipeline.outcomes import Outcomes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ApplyMetadata:
    fold: FoldMetadata
    objects: ObjectStore
    parts: PartStore
    cache: ListCache
    leases: Leases
    events: EventStream
    clock: Clock

    def __call__(self, items: Sequence[Item[MetadataEvent]]) -> None:
        by_key = by_row(items)
        folded = self.fold(by_key)
        files = folded.files()
        # Not only what changed: a delivery that died after its write must be finished by the next.
        self.cache.invalidate(sorted({user_id for user_id, _ in files}))
        self._free_leases(files)
        self._tidy(files)
        self._narrate(by_key, folded)
        outcomes = Outcomes(self.clock)
        for key, row in files.items():
            outcomes.add(by_key[key], row, is_changed=key in folded.changed)
        self.events.publish(outcomes.events)

    def _tidy(self, files: dict[Key, FileRecord]) -> None:
        """Leave nothing in storage that no file wants, also when it arrives late.

        Of an expired upload only the parts go: its object may be arriving just now, and is a file.
        """
        for row in files.values():
            if row.multipart and row.status in (*UNWANTED, Status.EXPIRED):
                self.parts.abort(row)
            if row.status in UNWANTED:
                self.objects.discard(row)

    def _free_leases(self, files: dict[Key, FileRecord]) -> None:
        ended: dict[str, list[str]] = {}
        for (user_id, file_id), row in files.items():
            if row.status is not Status.PENDING:
                ended.setdefault(user_id, []).append(file_id)
        self.leases.free(ended)

    def _narrate(self, by_key: ByKey, folded: Folded) -> None:
        for key, row in folded.files().items():
            if key in folded.changed:
                telemetry.bind(by_key[key][-1].trace_id)
                facts = {"fileId": row.file_id, "status": row.status.value, "version": row.version}
                logger.info("row written", extra=facts)
                logger.info("cache invalidated", extra={"userId": row.user_id})
        telemetry.bind(None)
