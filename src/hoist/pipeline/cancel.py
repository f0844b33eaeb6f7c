"""Its owner wants an upload no more, in whatever state it is.

frame or DELETE /uploads/{id} -> CancelUpload -> hoist.metadata (file.cancelled), key userId
"""

from __future__ import annotations

from dataclasses import dataclass

from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import FileCancelled
from hoist.domain.ports import Clock, MessageLog
from hoist.pipeline import events
from hoist.pipeline.finding import FindUpload


@dataclass(frozen=True)
class CancelUpload:
    find: FindUpload
    log: MessageLog
    clock: Clock
    topic_prefix: str = ""

    def __call__(self, user_id: str, file_id: str, trace_id: str) -> None:
        """Returns once it is certain to happen. Raises ``NotFound`` or ``Unavailable``.

        Only what is known can be cancelled: an id that nobody asked for must not make a row.
        """
        found = self.find(user_id, file_id)
        event = FileCancelled(
            user_id=user_id, file_id=file_id, message_id=found.message_id, at=self.clock()
        )
        topic = self.topic_prefix + METADATA_TOPIC
        self.log.append([events.message(topic, event, trace_id)])
