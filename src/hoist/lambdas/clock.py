"""The janitor's tick, as EventBridge Scheduler sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoist import wiring


def janitor(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Settle a batch of overdue uploads, abort what nobody owns, and remove old archives.

    Returns how many of each.
    """
    services = wiring.services()
    run = services.janitor
    return {
        "settled": run(),
        "aborted": run.abort_orphans(),
        "removed": services.archives.remove_old(),
    }
