"""The janitor's tick, as EventBridge Scheduler sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoist import wiring


def janitor(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Settle overdue uploads until none is left; returns how many."""
    settle = wiring.services().settle_pending
    return {"settled": settle()}
