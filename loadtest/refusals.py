"""Which refusals are the service's policy, and which are its failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# "Not now": fine, as long as it says when.
NOT_NOW = ("rate_limited", "too_many_uploads", "slow_down", "busy")
WAIT_SECONDS_MAX = 180.0  # that anybody waits because a refusal tells so, for one thing


def wait_seconds(error: Mapping[str, Any]) -> float | None:
    """How long a client is told to wait; None when this is no such refusal, or nobody would."""
    told = error.get("retryAfterSeconds")
    if error.get("code") not in NOT_NOW or not isinstance(told, int | float):
        return None
    return float(told) if 0 < told <= WAIT_SECONDS_MAX else None


def is_policy(error: Mapping[str, Any]) -> bool:
    """Whether a client that does nothing wrong may be refused so.

    "Not now" must say when, and "no room" must be true by its own numbers.
    """
    if error.get("code") == "quota_exceeded":
        return bool(error.get("inUse", 0) + error.get("size", 0) > error.get("limit", 0) > 0)
    return wait_seconds(error) is not None
