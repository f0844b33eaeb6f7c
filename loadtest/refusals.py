"""Which refusals are the service's policy, and which are its failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# "Not now": fine, as long as it says when.
NOT_NOW = ("rate_limited", "too_many_uploads", "slow_down", "busy")


def wait_seconds(error: Mapping[str, Any]) -> float | None:
    """How long a client is told to wait; None when this is no such refusal."""
    told = error.get("retryAfterSeconds")
    if error.get("code") in NOT_NOW and isinstance(told, int | float) and told > 0:
        return float(told)
    return None


def is_policy(error: Mapping[str, Any]) -> bool:
    """Whether a client that does nothing wrong may be refused so.

    "Not now" must say when, and "no room" must be true by its own numbers.
    """
    if error.get("code") == "quota_exceeded":
        return bool(error.get("inUse", 0) + error.get("size", 0) > error.get("limit", 0) > 0)
    return wait_seconds(error) is not None
