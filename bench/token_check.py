"""What a token costs per message: our verifier, which keeps what it verified, beside PyJWT.

Over a socket it is less still: the token is verified when it opens, and each frame only looks at
the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import jwt

from bench.row import Row
from bench.target import Target

OURS, FLOOR = 20_000, 500


def run(target: Target) -> list[Row]:
    token, environment = target.user(uploads=False).token, target.environment
    key = jwt.PyJWKClient(f"{environment['HOIST_ISSUER']}.well-known/jwks.json")
    signing = key.get_signing_keys()[0].key
    issuer, audience = environment["HOIST_ISSUER"], environment["HOIST_AUDIENCE"]

    def ours() -> None:
        target.services.verifier.verify(token)

    def floor() -> None:
        jwt.decode(token, signing, algorithms=["RS256"], audience=audience, issuer=issuer)

    ratios, kept, fresh = [], 0.0, 0.0
    for number in range(-1, target.pairs):
        kept = _each(ours, target.count(OURS, 10))
        fresh = _each(floor, target.count(FLOOR, 2))
        if number >= 0:
            ratios.append(fresh / kept)
    detail = f"last: {kept * 1e6:.2f} µs, PyJWT {fresh * 1e6:.0f} µs"
    return [Row("token", "PyJWT / our check of a token per message", ratios, 20, detail=detail)]


def _each(do: Callable[[], None], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        do()
    return (time.process_time() - began) / count
