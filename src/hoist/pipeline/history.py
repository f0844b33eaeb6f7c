"""Part of step 6: what happened to a file, and who downloaded it, for its owner."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from hoist.domain.errors import NotFound, Unavailable
from hoist.domain.messages import METADATA_TOPIC, iso
from hoist.domain.metadata import FileDownloaded
from hoist.domain.model import FileRecord, Status
from hoist.domain.ports import Clock, MessageLog, MetadataStore, SharingStore
from hoist.domain.sharing import Downloads, Share, downloads_row_id
from hoist.pipeline import events
from hoist.pipeline.finding import find_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class History:
    store: MetadataStore
    sharing: SharingStore
    log: MessageLog
    clock: Clock
    topic_prefix: str = ""

    def timeline(self, user_id: str, file_id: str) -> dict[str, Any]:
        """Every step of the file's life so far. Raises ``NotFound``, for another user's too."""
        record = self._mine(user_id, file_id)
        steps = [
            {
                "step": step.name,
                "at": iso(step.at_ms),
                "topic": step.topic,
                "partition": step.partition,
                "offset": step.offset,
                "worker": step.worker,
                "recordedBy": step.recorded_by,
                "traceId": step.trace_id,
            }
            for step in record.steps
        ]
        return {"fileId": file_id, "steps": steps}

    def downloads(self, user_id: str, file_id: str) -> dict[str, Any]:
        """How often, and the last times. Raises ``NotFound``, for another user's too."""
        self._mine(user_id, file_id)
        key = (user_id, downloads_row_id(file_id))
        kept = self.sharing.rows([key]).get(key)
        history = kept if isinstance(kept, Downloads) else Downloads(user_id, file_id)
        told = [
            {"at": iso(one.at_ms), "by": one.by, "traceId": one.trace_id}
            | ({"shareId": one.share_id} if one.share_id else {})
            for one in reversed(history.last)
        ]
        return {"fileId": file_id, "count": history.count, "downloads": told}

    def tell(self, record: FileRecord, by: str, trace_id: str, share: Share | None = None) -> None:
        """A download URL of *record* is being given.

        While the log is away downloads go on, and are missing in the history: a file that cannot
        be had is worse than one whose download nobody wrote down. A link's count is in its row.
        """
        event = FileDownloaded.model_validate(
            {
                "user_id": record.user_id,
                "file_id": record.file_id,
                "id": secrets.token_hex(8),
                "at": self.clock(),
                "by": by,
                "share_id": share.share_id if share else None,
                "share_downloads": share.downloads if share else 0,
            }
        )
        message = events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)
        try:
            self.log.append([message])
        except Unavailable as error:
            facts = {"fileId": record.file_id, "reason": str(error)}
            logger.warning("download not written down", extra=facts)

    def _mine(self, user_id: str, file_id: str) -> FileRecord:
        record = find_file(self.store, user_id, file_id)
        if record is None or not (record.is_listed or record.status is Status.DELETED):
            raise NotFound("no such file")
        return record
