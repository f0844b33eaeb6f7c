"""How releases live together: what an older one wrote is brought up to date, what only a newer one
knows is kept. The rules are in docs/messages.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from hoist.domain.errors import Malformed

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of a message, not yet validated, the same in the next version. It drops nothing."""


class NewerVersion(Malformed):
    """A message of a newer release: set aside, until a replay after the upgrade."""

    code = "newer_version"


def upcast(data: Any, steps: Sequence[Step]) -> Any:
    """*data* in the newest version; the first of *steps* leads from version 1 to 2.

    What has no version is of version 1; what is no JSON object comes back as it is, for its model
    to refuse. Raises ``NewerVersion``, ``Malformed``.
    """
    if not isinstance(data, dict):
        return data
    version = data.get("version", 1)
    if type(version) is not int or version < 1:  # not isinstance: True is an int
        raise Malformed("version: should be a whole number from 1")
    newest = len(steps) + 1
    if version > newest:
        raise NewerVersion(f"version: {version} is of a newer release, this one reads to {newest}")
    for step in steps[version - 1 :]:
        data = step(data)
    return data | {"version": newest}


def row_to_members(row: Any) -> dict[str, Any]:
    """The dataclass *row* as JSON-ready members; ``members_of_row`` is its inverse."""
    told = asdict(row)
    unknown: dict[str, Any] = told.pop("unknown")
    return unknown | told


def members_of_row(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """What to make a *kind* of: its members, and in ``unknown`` those of a newer release."""
    told = known(kind, data)
    return told | {"unknown": unknown(data, told)}


def members(thing: Any) -> dict[str, Any]:
    """What a dataclass has, by name, as it is: ``asdict`` copies all that is in it, deeply."""
    return {field.name: getattr(thing, field.name) for field in fields(thing)}


def known(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The members of *data* that the dataclass *kind* has; the others are passed over."""
    return {field.name: data[field.name] for field in fields(kind) if field.name in data}


def unknown(data: Mapping[str, Any], names: Mapping[str, Any] | frozenset[str]) -> dict[str, Any]:
    """The members of *data* that are none of *names*."""
    return {name: value for name, value in data.items() if name not in names}
