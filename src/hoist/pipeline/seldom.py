"""Part of the janitor: what walks through a whole bucket is not done at each tick."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_MS = 15_000  # parts that nobody wants are to be gone a minute after their URLs


@dataclass
class Seldom:
    """Remembers, in this process, when it was last time to do something."""

    next_ms: int = 0

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time; asked again within ``EVERY_MS`` of a yes, no."""
        if now_ms < self.next_ms:
            return False
        self.next_ms = now_ms + EVERY_MS
        return True
