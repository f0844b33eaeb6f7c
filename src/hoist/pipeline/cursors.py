"""Part of step 6: where the next page starts, sealed so that it is good for one list only.

AWS-CONTRACTS section 5: a cursor is bound to its user, filter and order, and ends after a day.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from hoist.domain.errors import InvalidCursor
from hoist.domain.listing import Listing
from hoist.domain.ports import Clock

CURSOR_LIVES_SECONDS = 24 * 3600
CURSOR_LENGTH_MAX = 4096
SEAL_BYTES = 32


@dataclass(frozen=True)
class Cursors:
    secret: str
    clock: Clock

    def cursor(self, user_id: str, listing: Listing, position: str) -> str:
        expires = self.clock() // 1000 + CURSOR_LIVES_SECONDS
        body = json.dumps({"v": 2, "p": position, "x": expires}, ensure_ascii=False).encode()
        return _spelled(self._seal(user_id, listing, body) + body)

    def position(self, user_id: str, listing: Listing, cursor: str) -> str:
        """Raises ``InvalidCursor`` for any but ours, of this very list."""
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError as error:
            raise InvalidCursor("this cursor was not made here; list from the start") from error
        seal, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
        # Base64 has several spellings of the same bytes; only ours is a cursor.
        is_ours = len(cursor) <= CURSOR_LENGTH_MAX and _spelled(raw) == cursor
        if not is_ours or not hmac.compare_digest(seal, self._seal(user_id, listing, body)):
            raise InvalidCursor("this cursor was not made for this list; list from the start")
        data = json.loads(body)
        if data["x"] <= self.clock() // 1000:
            raise InvalidCursor("this cursor has expired; list from the start")
        return str(data["p"])

    def _seal(self, user_id: str, listing: Listing, body: bytes) -> bytes:
        bound = json.dumps([user_id, listing.canonical()]).encode()
        return hmac.new(self.secret.encode(), bound + b"\0" + body, hashlib.sha256).digest()


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
