"""Step 6: what a user asks about files: one upload, one file, the list, a download.

GET /files -> a cached page or the store, by userId -> presigned GET links made per request
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hoist.domain.errors import InvalidCursor, InvalidRequest, NotFound, NotStored
from hoist.domain.messages import METADATA_TOPIC, iso
from hoist.domain.model import (
    FILE_ID_LENGTH,
    FileRecord,
    Principal,
    Status,
    record_from_json,
    record_to_json,
)
from hoist.domain.policy import PREMIUM, Policy
from hoist.domain.ports import Clock, MessageLog, MetadataStore, ObjectStore, Page
from hoist.domain.volatile import Leases, ListCache
from hoist.pipeline import events
from hoist.pipeline.admission import LEASE_SECONDS
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.views import Views

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
CURSOR_LIVES_SECONDS = 24 * 3600
DOWNLOAD_EXPIRES_SECONDS = 900


@dataclass(frozen=True)
class Files:
    store: MetadataStore
    objects: ObjectStore
    cache: ListCache
    find: FindUpload
    views: Views
    leases: Leases
    log: MessageLog
    policy: Callable[[], Policy]
    clock: Clock
    cursor_secret: str
    topic_prefix: str = ""

    def upload(self, user_id: str, file_id: str, trace_id: str) -> dict[str, Any]:
        """The upload as the protocol shows it, with fresh signatures while it is ``ready``.

        Raises ``NotFound``, for another user's too.
        """
        found = self.find(user_id, file_id)
        if not isinstance(found, FileRecord):
            view: dict[str, Any] = {"fileId": file_id, "state": found.state}
            view |= {"messageId": found.message_id} if found.message_id else {}
            return view | ({"error": found.error} if found.error else {})
        if longer := self.views.extended(found):
            found, event = longer
            self.log.append([events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)])
        if found.status is Status.PENDING:
            self.leases.renew(user_id, file_id, self.clock() + LEASE_SECONDS * 1000)
        return self.views.upload(found, self._file_of(found))

    def list(self, user_id: str, limit: int | None, cursor: str | None) -> dict[str, Any]:
        """One page, newest first. Raises ``InvalidRequest`` or ``InvalidCursor``."""
        limit = LIMIT_DEFAULT if limit is None else limit
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidRequest(f"limit is 1 to {LIMIT_MAX}", "limit")
        position = self._position(user_id, cursor) if cursor else None
        page = self._page(user_id, limit, position)
        following = page.next_position
        return {
            "files": [self._file_of(record) for record in page.records],
            "nextCursor": self._cursor(user_id, following) if following else None,
        }

    def get(self, user_id: str, file_id: str) -> dict[str, Any]:
        return self._file_of(self._visible(user_id, file_id))

    def download_url(self, user_id: str, file_id: str) -> str:
        """A presigned GET of 15 minutes. Raises ``NotStored`` while the bytes are not there."""
        record = self._visible(user_id, file_id)
        if record.status is not Status.STORED:
            raise NotStored(f"the file is {record.status.value}: nothing to download")
        return self.objects.sign_get(record, expires_seconds=DOWNLOAD_EXPIRES_SECONDS)

    def me(self, principal: Principal) -> dict[str, Any]:
        """Who the caller is, what the tier allows, and how much of it is in use."""
        policy, user_id = self.policy(), principal.user_id
        account = self.store.accounts([user_id])[user_id]
        now = self.clock()
        leases = self.leases.active([user_id]).get(user_id)
        active = account.reservations if leases is None else leases
        return {
            "userId": user_id,
            "tier": principal.tier,
            "roles": list(principal.roles),
            "limits": policy.tier(principal.tier).limits(),
            "use": {
                "storedBytes": account.used_bytes,
                "reservedBytes": account.reserved_bytes,
                "concurrentUploads": len(active)
                if leases is None
                else sum(end > now for end in leases.values()),
            },
            "premium": policy.tier(PREMIUM).limits(),
            "tokenExpiresAt": iso(principal.expires_at * 1000),
        }

    def _visible(self, user_id: str, file_id: str) -> FileRecord:
        key = (user_id, file_id)
        is_id = len(file_id) == FILE_ID_LENGTH
        record = self.store.get_many([key]).get(key) if is_id else None
        if record is None or not record.is_listed:
            raise NotFound("no such file")
        return record

    def _file_of(self, record: FileRecord) -> dict[str, Any]:
        url = None
        if record.status is Status.STORED:
            url = self.objects.sign_get(record, expires_seconds=DOWNLOAD_EXPIRES_SECONDS)
        return events.file_view(record, url)

    def _page(self, user_id: str, limit: int, position: str | None) -> Page:
        """A first page comes from the cache when it is of the current generation."""
        generation = None if position else self.cache.generation(user_id)
        name = f"first-{limit}"
        if generation and (kept := self.cache.get(user_id, generation, name)):
            data = json.loads(kept)
            return Page(tuple(map(record_from_json, data["records"])), data["next"])
        page = self.store.list_by_user(user_id, limit=limit, position=position)
        if generation:
            records = [record_to_json(record) for record in page.records]
            data = {"records": records, "next": page.next_position}
            self.cache.put(user_id, generation, name, json.dumps(data).encode())
        return page

    def _cursor(self, user_id: str, position: str) -> str:
        expires = self.clock() // 1000 + CURSOR_LIVES_SECONDS
        body = json.dumps({"v": 1, "p": position, "x": expires}).encode()
        return base64.urlsafe_b64encode(self._seal(user_id, body) + body).decode().rstrip("=")

    def _position(self, user_id: str, cursor: str) -> str:
        """Bound to the user by its seal (AWS-CONTRACTS section 5): a foreign one never opens."""
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError as error:
            raise InvalidCursor("this cursor was not made here; list from the start") from error
        seal, body = raw[:32], raw[32:]
        # Base64 has several spellings of the same bytes; only ours is a cursor.
        is_ours = base64.urlsafe_b64encode(raw).decode().rstrip("=") == cursor
        if not is_ours or not hmac.compare_digest(seal, self._seal(user_id, body)):
            raise InvalidCursor("this cursor was not made for this list; list from the start")
        data = json.loads(body)
        if data["x"] <= self.clock() // 1000:
            raise InvalidCursor("this cursor has expired; list from the start")
        return str(data["p"])

    def _seal(self, user_id: str, body: bytes) -> bytes:
        key = self.cursor_secret.encode()
        return hmac.new(key, user_id.encode() + b"\0" + body, hashlib.sha256).digest()
