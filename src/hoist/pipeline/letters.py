"""A dead letter as an operator reads it, whatever its bytes are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from hoist import telemetry
from hoist.domain import strict_json
from hoist.domain.archives import archive_requested_from_json
from hoist.domain.decisions import Standing, State, letter_id
from hoist.domain.errors import Malformed
from hoist.domain.messages import (
    ARCHIVES_GROUP,
    ARCHIVES_TOPIC,
    AT_MS_END,
    GROUPS,
    METADATA_GROUP,
    METADATA_TOPIC,
    envelope_from_json,
    ingest_topic,
)
from hoist.domain.metadata import metadata_event_from_json
from hoist.domain.ports import Received
from hoist.pipeline.journey import REPLAYED, Journey, is_number

Parse = Callable[[bytes | None], Any]
PARSERS: Mapping[str, Parse] = {
    **dict.fromkeys(GROUPS.values(), envelope_from_json),
    METADATA_GROUP: metadata_event_from_json,
    ARCHIVES_GROUP: archive_requested_from_json,
}
"""How each group with dead letters in Kafka reads its records."""
ORIGINS: Mapping[str, str] = {
    **{group: ingest_topic(lane) for lane, group in GROUPS.items()},
    METADATA_GROUP: METADATA_TOPIC,
    ARCHIVES_GROUP: ARCHIVES_TOPIC,
}
"""The topic that each of them reads: where a replayed letter goes, whatever its headers say."""
OPEN = Standing()
STATES: Mapping[str, frozenset[State]] = {
    "open": frozenset({"open", "replaying"}),
    "replaying": frozenset({"replaying"}),
    "replayed": frozenset({"replayed"}),
    "dropped": frozenset({"dropped"}),
    "all": frozenset({"open", "replaying", "replayed", "dropped"}),
}
"""The words to choose letters by."""


@dataclass(frozen=True)
class Letter:
    """A record of ``hoist.<group>.dlq``, and what was decided about it."""

    group: str
    record: Received
    standing: Standing = OPEN

    @property
    def id(self) -> str:
        return letter_id(self.group, self.record.offset)

    @cached_property
    def journey(self) -> Journey:
        return Journey.of(self.record)

    @cached_property
    def at_ms(self) -> int:
        """When it was set aside; at the end of all calendars, when no calendar has that."""
        try:
            at = datetime.fromisoformat(self.journey.last_failure)
            at_ms = round(at.timestamp() * 1000)
        except (ValueError, OverflowError):
            at_ms = self.record.timestamp_ms
        return min(max(at_ms, 0), AT_MS_END - 1)

    @property
    def error(self) -> str:
        return f"{self.journey.error_class}: {self.journey.error}"

    @property
    def replays(self) -> int:
        """How often it was replayed before it became this letter."""
        text = dict(self.record.headers).get(REPLAYED, b"").decode("latin-1")
        return int(text) if is_number(text) else 0

    @property
    def trace_id(self) -> str | None:
        return telemetry.trace_of(self.record.headers)

    @property
    def payload(self) -> bytes:
        """What a replay sends: the original bytes, or the edited ones."""
        edited = self.standing.edited
        return (self.record.value or b"") if edited is None else edited

    @cached_property
    def user_id(self) -> str:
        """Whose it is: as its payload says, else its key."""
        claimed = user_of(self.payload) or user_of(self.record.value or b"")
        return claimed or (self.record.key or b"").decode("utf-8", "replace")

    def state(self, at_ms: int) -> State:
        return self.standing.state(at_ms)

    def unreadable(self) -> str | None:
        """Why the group cannot read ``payload``; None when it can."""
        return unreadable(self.group, self.payload)


def unreadable(group: str, payload: bytes) -> str | None:
    """Why *group* cannot read *payload*; None when it can."""
    try:
        PARSERS[group](payload)
    except Malformed as error:
        return str(error)
    return None


def decoded(payload: bytes) -> Any | None:
    """The JSON that *payload* is, or None when it is not what we accept as JSON."""
    try:
        return strict_json.decode(payload)
    except Malformed:
        return None


def as_text(payload: bytes) -> str:
    """*payload* to look at: bytes that are no UTF-8 are written as ``\\xff``."""
    return payload.decode("utf-8", "backslashreplace")


def user_of(payload: bytes) -> str | None:
    """The user that *payload* names."""
    data = decoded(payload)
    user_id = data.get("userId") if isinstance(data, dict) else None
    return user_id if isinstance(user_id, str) and user_id else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: those that all of these describe."""

    groups: tuple[str, ...] = tuple(PARSERS)
    error: str = ""
    user_id: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    states: frozenset[State] = STATES["open"]
    from_offset: int = 0

    def matches(self, letter: Letter, at_ms: int) -> bool:
        return (
            letter.record.offset >= self.from_offset
            and letter.state(at_ms) in self.states
            and self.error.lower() in letter.error.lower()
            and self.user_id in ("", letter.user_id)
            and (self.from_ms is None or letter.at_ms >= self.from_ms)
            and (self.to_ms is None or letter.at_ms < self.to_ms)
        )
