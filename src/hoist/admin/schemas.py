"""What the admin routes answer, as models: only to describe it in OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _View(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LogPlace(_View):
    topic: str
    partition: int
    offset: int


class Letter(_View):
    id: str = Field(description="GROUP:OFFSET")
    group: str
    state: str = Field(description="open, replaying, replayed or dropped")
    is_edited: bool
    at: str = Field(description="When it was set aside")
    first_failure: str | None = None
    attempts: int
    replays: int = Field(description="How often it was replayed before it failed again")
    error_class: str
    error: str
    user_id: str
    trace_id: str | None = None
    origin: LogPlace


class Letters(_View):
    letters: list[Letter]
    next: str | None = Field(description="`after` of the next page")


class LetterHeader(_View):
    name: str
    value: str


class LetterDecision(_View):
    letter: str
    number: int
    action: str = Field(description="claimed, replayed, released, edited or dropped")
    by: str
    at: str
    reason: str | None = None
    to: LogPlace | None = None


class WholeLetter(Letter):
    headers: list[LetterHeader]
    decisions: list[LetterDecision]
    payload: Any = Field(default=None, description="Decoded; absent when it is no JSON we accept")
    payload_text: str
    payload_base64: str
    original_base64: str
    unreadable: str | None = Field(default=None, description="Why its group cannot read it")


class ReplayOutcome(_View):
    id: str
    result: str = Field(description="replayed, would_replay, decided or refused")
    reason: str | None = None
    to: LogPlace | None = None


class Outcomes(_View):
    outcomes: list[ReplayOutcome]
    next: str | None = Field(description="`after` of the request that goes on")
