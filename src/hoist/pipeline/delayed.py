"""Part of step 2: who waits for a dependency that is down hears it, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hoist.domain.errors import Unavailable
from hoist.domain.messages import Envelope
from hoist.domain.ports import Clock
from hoist.domain.volatile import EventStream
from hoist.pipeline import events
from hoist.pipeline.delivery import Item
from hoist.pipeline.triage import request_id

REMEMBERED_MAX = 10_000


@dataclass(frozen=True)
class TellDelayed:
    events: EventStream
    clock: Clock
    told: dict[tuple[str, int, int], None] = field(default_factory=dict)

    def __call__(self, items: Sequence[Item[Envelope]], error: Unavailable) -> None:
        """``upload.delayed`` to each request that has not heard it from this process."""
        news = []
        for item in items:
            place = (item.origin.topic, item.origin.partition, item.origin.offset)
            if place in self.told:
                continue
            self.told[place] = None
            message = item.message
            event = events.event(
                "upload.delayed",
                message.user_id,
                at_ms=self.clock(),
                trace_id=item.trace_id,
                connection_id=message.connection_id,
                is_kept=False,
                messageId=message.message_id,
                fileId=request_id(item),
                detail=f"{error}; your request is safe, and goes on when it is back",
            )
            news.append(event)
        while len(self.told) > REMEMBERED_MAX:
            del self.told[next(iter(self.told))]
        self.events.publish(news)
