"""Who makes the load: people nobody has seen before, with tokens of the local issuer."""

from __future__ import annotations

import http.client
import json
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

NAMES = {"basic": "ada", "premium": "grace"}
LIFETIME_SECONDS = 14_400
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class User:
    user_id: str
    token: str
    tier: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def newcomer(issuer: str, tier: str, name: str = "") -> User:
    """Somebody of this tier, called *name* or as the local stack's own user of the tier is.

    It blocks only this thread, or greenlet. Raises ``OSError`` when the issuer is away.
    """
    name = name or NAMES[tier]
    user_id = f"auth0|{name}-{secrets.token_hex(6)}"
    wanted = {
        "flaw": "good",
        "user": name,
        "claims": {"sub": user_id},
        "lifetime_seconds": LIFETIME_SECONDS,
    }
    return User(user_id, mint(issuer, wanted), tier)


def mint(issuer: str, wanted: dict[str, object]) -> str:
    """The token that the issuer's lever for tests makes as *wanted*."""
    connection = http.client.HTTPConnection(urlsplit(issuer).netloc, timeout=PATIENCE_SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/_control/mint", json.dumps(wanted), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise OSError(f"the issuer answered {answer.status}: {text[:200]}")
        return str(json.loads(text)["token"])
    finally:
        connection.close()
