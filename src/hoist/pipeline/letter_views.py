"""How dead letters are shown, the same on a terminal and over REST."""

from __future__ import annotations

import base64
from typing import Any

from hoist.domain.decisions import Decision
from hoist.domain.messages import iso
from hoist.pipeline.letters import Letter, as_text, decoded
from hoist.pipeline.replay import Outcome


def letter_view(letter: Letter, at_ms: int) -> dict[str, Any]:
    """A letter in a list; members that do not apply are absent."""
    journey = letter.journey
    members = {
        "id": letter.id,
        "group": letter.group,
        "state": letter.state(at_ms),
        "isEdited": letter.standing.edited is not None,
        "at": iso(letter.at_ms),
        "firstFailure": journey.first_failure or None,
        "attempts": journey.attempt,
        "replays": letter.replays,
        "errorClass": journey.error_class,
        "error": journey.error,
        "userId": letter.user_id,
        "traceId": letter.trace_id,
        "origin": {
            "topic": journey.origin_topic,
            "partition": journey.origin_partition,
            "offset": journey.origin_offset,
        },
    }
    return {name: value for name, value in members.items() if value is not None}


def whole_letter_view(letter: Letter, at_ms: int) -> dict[str, Any]:
    """All there is to a letter. ``payload`` is absent when it is no JSON that we accept."""
    payload, why = letter.payload, letter.unreadable()
    shown = {
        "headers": [
            {"name": name, "value": as_text(value)} for name, value in letter.record.headers
        ],
        "decisions": [_decision_view(one) for one in letter.standing.decisions],
        "payloadText": as_text(payload),
        "payloadBase64": base64.b64encode(payload).decode(),
        "originalBase64": base64.b64encode(letter.record.value or b"").decode(),
    }
    data = decoded(payload)
    readable = {"payload": data} if data is not None else {}
    unreadable = {"unreadable": why} if why else {}
    return letter_view(letter, at_ms) | shown | readable | unreadable


def outcome_view(outcome: Outcome) -> dict[str, Any]:
    members = {
        "id": outcome.letter.id,
        "result": outcome.result,
        "reason": outcome.reason or None,
        "to": outcome.to.model_dump(by_alias=True) if outcome.to else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _decision_view(decision: Decision) -> dict[str, Any]:
    view = decision.model_dump(by_alias=True, exclude_none=True, exclude={"payload", "version"})
    return view | {"at": iso(decision.at)}
