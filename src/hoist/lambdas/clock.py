"""The janitor's tick, as EventBridge Scheduler sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoist import wiring


def janitor(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Settle a batch of overdue uploads, and abort what nobody owns; returns how many of each."""
    run = wiring.services().janitor
    return {"settled": run(), "aborted": run.abort_orphans()}
