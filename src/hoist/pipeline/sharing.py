"""Part of step 6: public files, and links that let anybody download a file for a while.

Links are made and revoked through hoist.metadata; following one counts in its row, on the spot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from hoist.domain.errors import (
    NotFound,
    NotStored,
    PasswordRequired,
    TooManyTries,
    Unavailable,
)
from hoist.domain.frames import ShareRequest
from hoist.domain.messages import METADATA_TOPIC, iso
from hoist.domain.metadata import MetadataEvent, ShareCreated, ShareRevoked
from hoist.domain.model import FileRecord, Status, Visibility, is_file_id
from hoist.domain.ports import Clock, MessageLog, MetadataStore, ObjectStore, SharingStore
from hoist.domain.sharing import (
    Share,
    hashed,
    is_password,
    is_share_id,
    new_share_id,
    share_row_id,
)
from hoist.domain.volatile import RateLimiter
from hoist.pipeline import events
from hoist.pipeline.finding import find_file
from hoist.pipeline.history import History
from hoist.pipeline.waiting import Sleep, looks

PUBLIC_SECONDS, LINK_SECONDS = 60, 30  # what a download URL lives that anybody was given
# Passwords tried on one link, by one address and by everybody; and links that one user makes.
TRIES_PER_MINUTE, ALL_TRIES_PER_MINUTE, LINKS_PER_MINUTE = 10, 300, 60
NOBODY = "nobody"  # is looked up as an owner would be: unknown ids take the same way
GONE = "no such file, or it is not public"
ENDED = "no such link, or it has ended"
P = ParamSpec("P")
T = TypeVar("T")


class Aside(Protocol):
    """Calls what takes long, where nobody else waits for it."""

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@dataclass(frozen=True)
class ShareFiles:
    store: MetadataStore
    sharing: SharingStore
    objects: ObjectStore
    log: MessageLog
    history: History
    limiter: RateLimiter
    clock: Clock
    sleep: Sleep
    aside: Aside
    topic_prefix: str = ""

    def create(
        self, user_id: str, file_id: str, wanted: ShareRequest, trace_id: str
    ) -> dict[str, Any]:
        """A new link. Raises ``NotFound``, ``NotStored`` or ``Unavailable``."""
        record = find_file(self.store, user_id, file_id)
        if record is None or not record.is_listed:
            raise NotFound("no such file")
        if record.status is not Status.STORED:
            raise NotStored(f"the file is {record.status.value}: nothing to share")
        self._count_link(user_id)
        now, seconds = self.clock(), wanted.expires_in_seconds
        share = Share(
            user_id=user_id,
            share_id=new_share_id(),
            file_id=file_id,
            created_at_ms=now,
            expires_at_ms=now + seconds * 1000 if seconds else None,
            password=self.aside(hashed, wanted.password) if wanted.password else None,
            downloads_max=wanted.downloads_max,
        )
        event = ShareCreated(
            user_id=user_id,
            file_id=file_id,
            share_id=share.share_id,
            at=now,
            expires_at=share.expires_at_ms,
            password=share.password,
            downloads_max=share.downloads_max,
        )
        self._tell(event, trace_id)
        for _ in looks(self.sleep):
            if self.store.owners([share.row_id]):
                return share_view(share, now)  # now whoever has the link is let in
        raise Unavailable("the link is being made; look for it in a moment with GET /shares")

    def _count_link(self, user_id: str) -> None:
        taken = self.limiter.take(f"links#{user_id}", 1, per_minute=LINKS_PER_MINUTE)
        if not taken.granted:
            raise TooManyTries("too many links were made", taken.retry_after_seconds)

    def list(self, user_id: str, file_id: str | None) -> dict[str, Any]:
        """The user's links, newest first; of one file when it is given."""
        shares = [
            share
            for share in self.sharing.shares(user_id)
            if file_id is None or share.file_id == file_id
        ]
        shares.sort(key=lambda share: (share.created_at_ms, share.share_id), reverse=True)
        files = self.store.get_many(list({(user_id, share.file_id): None for share in shares}))
        there = {key[1] for key, row in files.items() if row.status is Status.STORED}
        now = self.clock()
        return {"shares": [share_view(one, now, one.file_id in there) for one in shares]}

    def revoke(self, user_id: str, share_id: str, trace_id: str) -> None:
        """Returns once the link works no more; a second call changes nothing.

        Raises ``NotFound``, for another user's too.
        """
        share = self._share(user_id, share_id)
        if share is None:
            raise NotFound("no such link")
        if share.is_revoked:
            return
        event = ShareRevoked(
            user_id=user_id, file_id=share.file_id, share_id=share_id, at=self.clock()
        )
        self._tell(event, trace_id)
        for _ in looks(self.sleep):
            now = self._share(user_id, share_id)
            if now is None or now.is_revoked:
                return
        raise Unavailable("the link is being revoked; look again in a moment")

    def public_url(self, file_id: str, trace_id: str) -> str:
        """A download URL of a public file, for anybody. Raises ``NotFound``, always the same."""
        record = self.public_file(file_id)
        self.history.tell(record, "public", trace_id)
        return self.objects.sign_get(record, expires_seconds=PUBLIC_SECONDS)

    def public_file(self, file_id: str) -> FileRecord:
        """Raises ``NotFound``, always the same, unless it is there for anybody."""
        known = self.store.owners([file_id]) if is_file_id(file_id) else {}
        owner = known.get(file_id, NOBODY)
        record = self._stored(owner, file_id)
        if record is None or record.file.visibility is not Visibility.PUBLIC:
            raise NotFound(GONE)
        return record

    def link_url(
        self, share_id: str, password: str | None, trace_id: str, address: str = ""
    ) -> str:
        """A download URL through a link, which counts; *address* says who tries a password.

        Raises ``NotFound``, the same for whatever ended it; ``PasswordRequired``, ``TooManyTries``.
        """
        share, record = self.open_link(share_id)
        if share.password is not None:
            self._check(share, password, address)
        used = self.sharing.count_download(share)
        if used is None:
            raise NotFound(ENDED)
        self.history.tell(record, "share", trace_id, used)
        return self.objects.sign_get(record, expires_seconds=LINK_SECONDS)

    def open_link(self, share_id: str) -> tuple[Share, FileRecord]:
        """Raises ``NotFound``, the same for whatever ended it."""
        row_id = share_row_id(share_id)
        known = self.store.owners([row_id]) if is_share_id(share_id) else {}
        owner = known.get(row_id, NOBODY)
        share = self._share(owner, share_id)
        record = self._stored(owner, share.file_id if share else NOBODY)
        if share is None or record is None or not share.is_open(self.clock()):
            raise NotFound(ENDED)
        return share, record

    def _check(self, share: Share, password: str | None, address: str) -> None:
        if password is None:
            raise PasswordRequired("this link has a password")
        # By address first: nobody locks everybody else out.
        for who, per_minute in (
            (f"{share.row_id}#{address}", TRIES_PER_MINUTE),
            (share.row_id, ALL_TRIES_PER_MINUTE),
        ):
            taken = self.limiter.take(who, 1, per_minute=per_minute)
            if not taken.granted:
                text = "too many passwords were tried on this link"
                raise TooManyTries(text, taken.retry_after_seconds)
        assert share.password is not None
        if not self.aside(is_password, password, share.password):
            raise PasswordRequired("this is not the link's password")

    def _share(self, user_id: str, share_id: str) -> Share | None:
        key = (user_id, share_row_id(share_id))
        found = self.sharing.rows([key]).get(key) if is_share_id(share_id) else None
        return found if isinstance(found, Share) else None

    def _stored(self, user_id: str, file_id: str) -> FileRecord | None:
        key = (user_id, file_id if is_file_id(file_id) else NOBODY)
        record = self.store.get_many([key]).get(key)
        return record if record and record.status is Status.STORED else None

    def _tell(self, event: MetadataEvent, trace_id: str) -> None:
        self.log.append([events.message(self.topic_prefix + METADATA_TOPIC, event, trace_id)])


def share_view(share: Share, now_ms: int, has_file: bool = True) -> dict[str, Any]:
    """A link as its owner sees it; members that do not apply are absent.

    *has_file*: whether there is a file that it can lead to.
    """
    members = {
        "shareId": share.share_id,
        "fileId": share.file_id,
        "createdAt": iso(share.created_at_ms),
        "expiresAt": iso(share.expires_at_ms) if share.expires_at_ms is not None else None,
        "hasPassword": share.password is not None,
        "downloadsMax": share.downloads_max,
        "downloads": share.downloads,
        "state": _state(share, now_ms, has_file),
    }
    return {name: value for name, value in members.items() if value is not None}


def _state(share: Share, now_ms: int, has_file: bool) -> str:
    if share.is_revoked:
        return "revoked"
    if share.downloads_max is not None and share.downloads >= share.downloads_max:
        return "used_up"
    if not share.is_open(now_ms):
        return "expired"
    return "open" if has_file else "file_gone"
