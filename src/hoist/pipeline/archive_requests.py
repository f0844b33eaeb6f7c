"""Archives, as their user sees them: asked for, looked at, and removed after a day.

POST /archives -> Archives -> hoist.archives, key userId
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from typing import Any

from hoist.domain import archives as rules
from hoist.domain.archives import ArchiveRequested, ArchiveStore
from hoist.domain.errors import NotFound, NothingToArchive, RateLimited, Use
from hoist.domain.listing import Listing
from hoist.domain.messages import ARCHIVES_TOPIC, iso
from hoist.domain.model import Principal
from hoist.domain.ports import Clock, Inventory, MessageLog, MetadataStore
from hoist.domain.volatile import RateLimiter
from hoist.pipeline import events
from hoist.pipeline.seldom import Seldom

logger = logging.getLogger(__name__)
# A user may ask for; each is up to 5 GiB of work. How many are unfinished would be the better
# measure, but nobody counts them: an id is sealed, and its report is only found by that id.
PER_MINUTE, PER_HOUR = 6, 30
DOWNLOAD_EXPIRES_SECONDS = 900


@dataclass(frozen=True)
class Archives:
    store: MetadataStore
    archives: ArchiveStore
    inventory: Inventory  # of archives, and parts of them, alone
    limiter: RateLimiter
    log: MessageLog
    clock: Clock
    secret: str
    topic_prefix: str = ""
    removals: Seldom = field(default_factory=Seldom)

    def ask(self, principal: Principal, listing: Listing, trace_id: str) -> dict[str, Any]:
        """The archive that will be built; returns after the log's ack.

        Raises ``NothingToArchive`` when one look shows it, and ``RateLimited``. How much there is
        would take more looks: that is the builder's to find out.
        """
        user_id = principal.user_id
        self._count(principal)
        shown = self.store.list_by_user(user_id, rules.stored_only(listing), limit=1)
        if not shown.records and shown.next_position is None:
            raise NothingToArchive()
        now = self.clock()
        nonce = secrets.token_bytes(rules.NONCE_BYTES)
        archive_id = rules.archive_id(self.secret, user_id, nonce, now)
        asked = ArchiveRequested(
            archive_id=archive_id, user_id=user_id, listing=listing, requested_at=now
        )
        self.log.append([events.message(self.topic_prefix + ARCHIVES_TOPIC, asked, trace_id)])
        logger.info("archive asked for", extra={"archiveId": archive_id})
        return events.archive_view(archive_id, now, None)

    def look(self, user_id: str, archive_id: str) -> dict[str, Any]:
        """The archive, with a fresh URL once it is ready. Raises ``NotFound``, after a day too."""
        asked_ms = rules.asked_ms(self.secret, user_id, archive_id)
        if asked_ms is None or self.clock() >= asked_ms + rules.LIVES_SECONDS * 1000:
            raise NotFound("no such archive")
        report = self.archives.report(archive_id)
        view = events.archive_view(archive_id, asked_ms, report)
        if report and report.state == "ready":
            view["downloadUrl"] = self.archives.sign_get(
                archive_id,
                f"hoist-{iso(asked_ms)[:10]}.zip",
                expires_seconds=DOWNLOAD_EXPIRES_SECONDS,
            )
        return view

    def remove_old(self) -> int:
        """Remove what is over a day old, and what a builder that died left; returns how many.

        Looks every 15 s at most.
        """
        now = self.clock()
        if not self.removals.is_due(now):
            return 0
        before = now - rules.LIVES_SECONDS * 1000
        found = [*self.inventory.objects(), *self.inventory.open_uploads()]
        old = [item for item in found if item.since_ms <= before]
        for item in old:
            self.inventory.remove(item)
            logger.info("old archive removed", extra={"key": item.key})
        return len(old)

    def _count(self, principal: Principal) -> None:
        name = f"archives/{principal.user_id}"
        limit, span = PER_MINUTE, "a minute"
        taken = self.limiter.take(name, 1, per_minute=PER_MINUTE)
        if taken.granted:
            limit, span = PER_HOUR, "an hour"
            taken = self.limiter.take_hourly(name, 1, per_hour=PER_HOUR)
        if taken.granted:
            return
        seconds = taken.retry_after_seconds
        use = Use(
            tier=principal.tier,
            limit=limit,
            premium_limit=limit,
            in_use=limit,
            retry_after_seconds=seconds,
            clears_at=iso(self.clock() + seconds * 1000),
        )
        raise RateLimited(f"{limit} archives {span} are allowed, and were asked for", use)
