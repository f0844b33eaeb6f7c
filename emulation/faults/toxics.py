"""What can be wrong with a connection. Names and meanings are toxiproxy's where it has them.

latency     each piece of data is *latency* ms late, give or take *jitter*
bandwidth   no more than *rate* KB/s
timeout     data is swallowed and the connection stays; it is closed after *timeout* ms, 0: never
partition   data waits until the toxic is gone, then goes on: a cut that TCP survives
limit_data  closed after *bytes*
reset_peer  reset (RST) after *bytes*, 0: at once
slow_close  an end is passed on *delay* ms late
down        new connections are refused, open ones are reset
errors      of HTTP requests, *probability* is answered with a 5xx and not forwarded
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UPSTREAM, DOWNSTREAM, BOTH = "upstream", "downstream", "both"


@dataclass(frozen=True)
class Kind:
    """The stream that it is on unless told otherwise, and its attributes' defaults."""

    stream: str
    attributes: Mapping[str, float] = field(default_factory=dict)


KINDS = {
    "latency": Kind(DOWNSTREAM, {"latency": 0, "jitter": 0}),
    "bandwidth": Kind(DOWNSTREAM, {"rate": 100}),
    "timeout": Kind(BOTH, {"timeout": 0}),
    "partition": Kind(BOTH),
    "limit_data": Kind(DOWNSTREAM, {"bytes": 0}),
    "reset_peer": Kind(UPSTREAM, {"bytes": 0}),
    "slow_close": Kind(DOWNSTREAM, {"delay": 0}),
    "down": Kind(BOTH),
    "errors": Kind(UPSTREAM, {"probability": 1}),
}


class NoSuchToxic(ValueError):
    """It makes no sense; the message says why."""


class Toxic:
    """One thing that is wrong with a target. Each asks dice of its own, seeded with *seed*."""

    def __init__(
        self,
        type: str,
        name: str | None = None,
        stream: str | None = None,
        toxicity: float = 1.0,
        attributes: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        kind = KINDS.get(type)
        if kind is None:
            raise NoSuchToxic(f"there is no toxic {type!r}; these are: {', '.join(KINDS)}")
        if unknown := (attributes or {}).keys() - kind.attributes.keys():
            raise NoSuchToxic(f"{type} has no attribute {', '.join(sorted(unknown))}")
        if stream not in (None, UPSTREAM, DOWNSTREAM, BOTH):
            raise NoSuchToxic(f"stream is upstream, downstream or both, not {stream!r}")
        self.type, self.name, self.toxicity = type, name or type, toxicity
        self.stream = stream or kind.stream
        self.attributes = {**kind.attributes, **(attributes or {})}
        if any(value < 0 for value in (toxicity, *self.attributes.values())):
            raise NoSuchToxic("no number of a toxic is below 0")
        if toxicity > 1 or self.attributes.get("probability", 0) > 1:
            raise NoSuchToxic("toxicity and probability are shares: 0 to 1")
        self.seed = seed
        self._connections, self._requests = random.Random(seed), random.Random(seed)

    def takes_connection(self) -> bool:
        """Whether the next connection is one of its share."""
        return self._connections.random() < self.toxicity

    def takes_request(self) -> bool:
        """Whether the next request is one of its share."""
        return self._requests.random() < self.attributes["probability"]

    def is_on(self, stream: str) -> bool:
        return self.stream in (stream, BOTH)

    def told(self) -> dict[str, Any]:
        names = ("name", "type", "stream", "toxicity", "attributes", "seed")
        return {name: getattr(self, name) for name in names}
