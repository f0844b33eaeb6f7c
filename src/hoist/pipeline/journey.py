"""Where a record that failed comes from, and what happened to it since: headers by its bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hoist.domain.messages import iso
from hoist.domain.ports import Received

PREFIX = "hoist-"
REPLAYED = "hoist-replayed"  # not about a failure: how often an operator sent it again
ERROR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Journey:
    """``attempt`` is the one that the record is at now, the first is 1."""

    origin_topic: str
    origin_partition: int
    origin_offset: int
    attempt: int = 1
    due_ms: int = 0
    error_class: str = ""
    error: str = ""
    first_failure: str = ""
    last_failure: str = ""

    @classmethod
    def of(cls, record: Received) -> Journey:
        """As the record's headers say; one without them is at its beginning."""
        begin = cls(record.topic, record.partition, record.offset)
        found = {
            name.removeprefix(PREFIX): value.decode("utf-8", "replace")
            for name, value in record.headers
            if name.startswith(PREFIX)
        }
        numbers = ("origin-partition", "origin-offset", "attempt", "due-ms")
        if "origin-topic" not in found or not all(is_number(found.get(n, "0")) for n in numbers):
            return begin
        return cls(
            found["origin-topic"],
            int(found.get("origin-partition", 0)),
            int(found.get("origin-offset", 0)),
            int(found.get("attempt", 1)),
            int(found.get("due-ms", 0)),
            found.get("error-class", ""),
            found.get("error", ""),
            found.get("first-failure", ""),
            found.get("last-failure", ""),
        )

    def after(self, error: Exception, now_ms: int, seconds: int) -> Journey:
        """One failure later; with *seconds* the next attempt is due after them."""
        now = iso(now_ms)
        return replace(
            self,
            attempt=self.attempt + (1 if seconds else 0),
            due_ms=now_ms + seconds * 1000 if seconds else 0,
            error_class=type(error).__name__,
            error=str(error)[:ERROR_LENGTH_MAX],
            first_failure=self.first_failure or now,
            last_failure=now,
        )

    def members(self) -> dict[str, str]:
        members = {
            "origin-topic": self.origin_topic,
            "origin-partition": str(self.origin_partition),
            "origin-offset": str(self.origin_offset),
            "attempt": str(self.attempt),
            "error-class": self.error_class,
            "error": self.error,
            "first-failure": self.first_failure,
            "last-failure": self.last_failure,
        }
        if self.due_ms:
            members["due-ms"] = str(self.due_ms)
        return {PREFIX + name: text for name, text in members.items()}

    def headers(self, record: Received) -> list[tuple[str, bytes]]:
        """The record's own headers, with ours as they are now."""
        ours = [(name, text.encode()) for name, text in self.members().items()]
        return [*own_headers(record), *ours]


def is_number(text: str) -> bool:
    """One that the log or a clock can have."""
    return text.isascii() and text.isdecimal() and len(text) < 19


OURS = Journey("", 0, 0, due_ms=1).members().keys()
"""The headers that say what happened. Any other is kept, whoever may know what it is for."""


def own_headers(record: Received) -> list[tuple[str, bytes]]:
    """The headers that *record* had before it failed."""
    return [(name, value) for name, value in record.headers if name not in OURS]
