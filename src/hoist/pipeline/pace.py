"""How fast a lane moves, so that whoever waits in it can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hoist.domain.ports import Clock, Received
from hoist.domain.volatile import LanePace, Lanes

NEW_SHARE = 0.2  # of the latest batch in the moving average


class Pace:
    def __init__(self, lanes: Lanes, clock: Clock) -> None:
        self._lanes, self._clock = lanes, clock
        self._per_second = 0.0

    def done(self, records: Sequence[Received], began_ms: int) -> None:
        """A batch that began at *began_ms* is answered."""
        seconds = max(1, self._clock() - began_ms) / 1000
        latest = len(records) / seconds
        before = self._per_second or latest
        self._per_second = before + (latest - before) * NEW_SHARE
        ends: Counter[tuple[str, int]] = Counter()
        for record in records:
            place = (record.topic, record.partition)
            ends[place] = max(ends[place], record.offset + 1)
        self._lanes.report({place: LanePace(end, self._per_second) for place, end in ends.items()})
