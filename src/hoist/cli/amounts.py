"""Sizes, times and spans of time as people write them: 10MB, 2026-01-31, 7d.

Each function is the ``type`` of an option: it raises ``click.BadParameter`` for what it does not
understand.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_SPAN = re.compile(r"(\d{1,9})\s*([smhdw])", re.I)
_SPAN_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*(?:([kmgt])(i?))?b?", re.I)


def size_of(text: str) -> int:
    """Bytes: 10MB are 10,000,000 and 10MiB are 10,485,760."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise click.BadParameter(f"{text!r} is no size: write 500, 10MB or 5MiB")
    number, power, binary = match.groups()
    unit: int = (1024 if binary else 1000) ** " kmgt".index((power or " ").lower())
    return round(float(number) * unit) if "." in number else int(number) * unit


def seconds_of(text: str) -> int:
    """45s, 30m, 12h, 7d or 2w, in seconds."""
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise click.BadParameter(f"{text!r} is no span of time: write 30m, 12h or 7d")
    return int(match[1]) * _SPAN_SECONDS[match[2].lower()]


def moment_of(text: str) -> datetime:
    """A day, which is its start in UTC; an RFC 3339 time; or how long ago, as a span."""
    try:
        if _SPAN.fullmatch(text.strip()):
            return datetime.now(UTC) - timedelta(seconds=seconds_of(text))
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        detail = "write 2026-01-31, 2026-01-31T12:00:00Z or, for a week ago, 7d"
        raise click.BadParameter(f"{text!r} is no time: {detail}") from error
