"""Step 6: what a user asks about files: one upload, one file, the list, a download.

GET /files -> a cached page or the store, by userId -> presigned GET links made per request
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hoist.domain.errors import InvalidRequest, NotFound, NotStored, Unavailable
from hoist.domain.listing import Listing
from hoist.domain.messages import METADATA_TOPIC, iso
from hoist.domain.model import (
    FileRecord,
    Principal,
    Status,
)
from hoist.domain.policy import PREMIUM, Policy
from hoist.domain.ports import Clock, MessageLog, MetadataStore, ObjectStore
from hoist.domain.volatile import Leases
from hoist.pipeline import events
from hoist.pipeline.admission import LEASE_SECONDS
from hoist.pipeline.cursors import Cursors
from hoist.pipeline.finding import FindUpload, find_file
from hoist.pipeline.history import History
from hoist.pipeline.pages import Pages
from hoist.pipeline.views import Views

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
DOWNLOAD_EXPIRES_SECONDS = 900


@dataclass(frozen=True)
class Files:
    store: MetadataStore
    objects: ObjectStore
    pages: Pages
    cursors: Cursors
    find: FindUpload
    views: Views
    history: History
    leases: Leases
    log: MessageLog
    policy: Callable[[], Policy]
    clock: Clock
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
        found = self._extended(found, trace_id)
        if found.status is Status.PENDING:
            self.leases.renew(user_id, file_id, self.clock() + LEASE_SECONDS * 1000)
        return self.views.upload(found, self.view(found))

    def _extended(self, record: FileRecord, trace_id: str) -> FileRecord:
        """*record* with a longer life if it needs one; while the log is away, as it is."""
        longer = self.views.extended(record)
        if longer is None:
            return record
        message = events.message(self.topic_prefix + METADATA_TOPIC, longer[1], trace_id)
        try:
            self.log.append([message])
        except Unavailable:
            return record  # whose signatures end in time all the same
        return longer[0]

    def list(
        self, user_id: str, listing: Listing, limit: int | None, cursor: str | None
    ) -> dict[str, Any]:
        """One page. Raises ``InvalidRequest`` or ``InvalidCursor``."""
        limit = LIMIT_DEFAULT if limit is None else limit
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidRequest(f"limit is 1 to {LIMIT_MAX}", "limit")
        position = None
        if cursor is not None:
            position = self.cursors.position(user_id, listing, cursor)
        page = self.pages(user_id, listing, limit, position)
        following = page.next_position
        return {
            "files": [self.view(record) for record in page.records],
            "nextCursor": self.cursors.cursor(user_id, listing, following) if following else None,
        }

    def get(self, user_id: str, file_id: str) -> dict[str, Any]:
        """Raises ``NotFound``, for another user's and what is in the trash too."""
        return self.view(self._visible(user_id, file_id))

    def view(self, record: FileRecord) -> dict[str, Any]:
        """A file as its owner sees it; a stored one with a download URL of its own."""
        url = None
        if record.status is Status.STORED:
            url = self.objects.sign_get(record, expires_seconds=DOWNLOAD_EXPIRES_SECONDS)
        return events.file_view(record, url)

    def download_url(
        self, user_id: str, file_id: str, trace_id: str, *, is_told: bool = True
    ) -> str:
        """A presigned GET of 15 minutes. Raises ``NotStored`` while the bytes are not there."""
        record = self._visible(user_id, file_id)
        if record.status is not Status.STORED:
            raise NotStored(f"the file is {record.status.value}: nothing to download")
        if is_told:
            self.history.tell(record, "owner", trace_id)
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
        record = find_file(self.store, user_id, file_id)
        if record is None or not record.is_listed:
            raise NotFound("no such file")
        return record
