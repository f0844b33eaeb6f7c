"""What operators decided about dead letters, and what follows from it.

Kafka cannot take a record out of a topic, so a decision is a record of its own. Decisions of one
letter are numbered, and the first of each number counts: of two operators who decide at the same
moment one wins, and both can see who.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Base64Bytes, Field

from hoist.domain.errors import Rejected
from hoist.domain.messages import AtMs, Versioned, Wire, ours

DECISIONS_TOPIC = "hoist.dlq.decisions"
CLAIM_MS = 60_000
PAYLOAD_BYTES_MAX = 700_000  # a third more in base64, and Kafka takes 1 MB
State = Literal["open", "replaying", "replayed", "dropped"]
LETTER_ID = re.compile(r"([a-z][a-z-]{0,40}):(\d{1,18})", re.ASCII)


class RequestDropped(Rejected):
    """What a user hears whose request was given up."""

    code, status = "request_dropped", 409

    def __init__(self) -> None:
        super().__init__(
            "this request could not be handled, and an operator gave it up; you may send it again"
        )


class LetterDecided(Rejected):
    """What an operator hears: nothing more is decided about it, or not just now."""

    code, status = "letter_decided", 409

    def __init__(self, letter: str, state: str, why: str | None = None) -> None:
        busy = "somebody is replaying it just now; try again in a minute"
        told = why or (busy if state == "replaying" else f"it was {state} already")
        super().__init__(f"{letter}: {told}", state=state)


class Place(Wire):
    """Where a replayed letter went."""

    topic: str
    partition: int
    offset: int


class Decision(Versioned):
    """One decision. Topic ``hoist.dlq.decisions`` (one partition, kept for ever), key: the letter.

    ``claimed`` says that a replay is about to begin, ``replayed`` that it was done, ``released``
    that it was not; ``edited`` brings the payload to replay in the place of the letter's own.
    """

    version: Literal[1] = 1
    letter: str
    number: int = Field(ge=1)
    action: Literal["claimed", "replayed", "released", "edited", "dropped"]
    by: str
    at: AtMs
    reason: str | None = None
    to: Place | None = None
    payload: Base64Bytes | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A letter as its decisions leave it. ``edited`` is the payload to replay, when it has one."""

    settled: Literal["open", "replayed", "dropped"] = "open"
    claimed_ms: int | None = None
    edited: bytes | None = None
    decisions: tuple[Decision, ...] = ()

    @property
    def next_number(self) -> int:
        return len(self.decisions) + 1

    def state(self, at_ms: int) -> State:
        """A claim that nothing followed within a minute is worth nothing: its owner has died.

        Nor is one of the future: its owner's clock is wrong.
        """
        is_claimed = self.claimed_ms is not None and abs(at_ms - self.claimed_ms) < CLAIM_MS
        return "replaying" if is_claimed else self.settled

    def after(self, decision: Decision) -> Standing:
        """The same standing when another decision of that number came first."""
        if decision.number != self.next_number:
            return self
        after = replace(self, claimed_ms=None, decisions=(*self.decisions, decision))
        match decision.action:
            case "claimed":
                return replace(after, claimed_ms=decision.at)
            case "edited":
                return replace(after, edited=decision.payload, settled="open")
            case "replayed" | "dropped" as settled:
                return replace(after, settled=settled)
        return after


def decision_from_json(raw: bytes | None) -> Decision:
    """Raises ``Malformed``."""
    decision: Decision = ours(Decision.read, raw)
    return decision


def letter_id(group: str, offset: int) -> str:
    return f"{group}:{offset}"


def place_of(letter: str) -> tuple[str, int] | None:
    """The group and offset that a letter's id names; None when it is no id."""
    match = LETTER_ID.fullmatch(letter)
    return (match[1], int(match[2])) if match else None
