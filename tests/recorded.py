"""What releases wrote, recorded for ever in ``events/``; ``python -m tests.recorded`` adds to it.

messages/NAME.vN.jsonl   messages of each version, one a line: with every member, with none but
                         those that must be there; never changed, only added to
schemas/NAME.vN.json     what readers of that version expect
rows.jsonl               rows as the store, the list cache and the answers hold them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hoist.domain.archives import ArchiveRequested, archive_requested_from_json
from hoist.domain.decisions import Decision, decision_from_json
from hoist.domain.messages import Envelope, Versioned, envelope_from_json
from hoist.domain.metadata import MODELS, metadata_event_from_json

EVENTS = Path(__file__).parent / "events"
KINDS: dict[str, type[Versioned]] = {
    "ingest": Envelope,
    **MODELS,
    "archive": ArchiveRequested,
    "decision": Decision,
}
READERS = {
    "ingest": envelope_from_json,
    **dict.fromkeys(MODELS, metadata_event_from_json),
    "archive": archive_requested_from_json,
    "decision": decision_from_json,
}


def newest(name: str) -> int:
    """The version that is written."""
    return int(KINDS[name].model_fields["version"].default)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def messages(name: str, version: int) -> list[bytes]:
    """Of the kind *name*, as they were recorded."""
    return lines(EVENTS / "messages" / f"{name}.v{version}.jsonl")


def versions() -> list[tuple[str, int]]:
    """Every kind, in every version that ever was."""
    return [(name, version) for name in KINDS for version in range(1, newest(name) + 1)]


def schema_path(name: str) -> Path:
    return EVENTS / "schemas" / f"{name}.v{newest(name)}.json"


def shape(name: str) -> Any:
    """What readers of the newest version expect, as a JSON schema without its words."""
    return _without_words(KINDS[name].model_json_schema(by_alias=True))


def broken(old: Any, new: Any, at: str = "") -> list[str]:
    """Where readers of one shape stumble over what writers of the other write; either way round.

    A member more, which need not be there, breaks nothing.
    """
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [f"{at}: was {old}, is {new}"]
    is_members = at.endswith(("/properties", "/$defs"))
    extra = [] if is_members else sorted(new.keys() - old.keys())
    found = [f"{at}/{name}: is new" for name in extra]
    for name, was in old.items():
        found += broken(was, new.get(name, "gone"), f"{at}/{name}")
    return found


def _without_words(schema: Any) -> Any:
    if isinstance(schema, list):
        return sorted((_without_words(one) for one in schema), key=json.dumps)
    if not isinstance(schema, dict):
        return schema
    words = ("title", "description", "examples")
    return {
        name: _without_words(value)
        for name, value in schema.items()
        if not (name in words and isinstance(value, str | list))
    }


def record() -> None:
    """Write down each shape that is new, or has a member more."""
    for name in KINDS:
        path, now = schema_path(name), shape(name)
        if path.exists() and (why := broken(json.loads(path.read_text()), now)):
            raise SystemExit(f"{name} needs a new version, or its old members: {'; '.join(why)}")
        path.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    record()
