"""Part of step 2: who may upload now. Size, rate, concurrency and quota, in this order.

The account row is the truth about quota: room is reserved there, by a conditional write, before
anybody hears of a URL. Leases say which of the reservations are being used; where they were
forgotten, every reservation counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hoist.domain.account import Account
from hoist.domain.errors import (
    MessageIdConflict,
    QuotaExceeded,
    RateLimited,
    Rejected,
    TooManyUploads,
    Unavailable,
    Use,
)
from hoist.domain.messages import iso
from hoist.domain.model import FileFacts
from hoist.domain.policy import PREMIUM, Policy
from hoist.domain.ports import Clock, MetadataStore
from hoist.domain.volatile import Leases, RateLimiter

LEASE_SECONDS = 120
WRITE_ATTEMPTS = 8
COUNTED_MAX = 10_000
RESERVATIONS_MAX = 2000  # of one user, at about 60 bytes each: an item holds 400 KB at most


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new upload, and until when it is to have room."""

    user_id: str
    file_id: str
    message_id: str
    tier: str
    facts: FileFacts
    until_ms: int


@dataclass(frozen=True)
class Admission:
    store: MetadataStore
    leases: Leases
    limiter: RateLimiter
    policy: Callable[[], Policy]
    clock: Clock
    # File ids whose requests were counted, and not yet decided: the store failed in between.
    counted: dict[str, None] = field(default_factory=dict, repr=False)

    def __call__(
        self, wanted: Sequence[Wanted], accounts: Mapping[str, Account]
    ) -> dict[str, Rejected]:
        """Reserve what may be uploaded; returns why the others may not, by file id.

        *accounts* are those of the users, by id, as read a moment ago. The same again reserves
        nothing more. Raises ``Unavailable``.
        """
        # One that has room already was granted before, and is only delivered again.
        new = [one for one in wanted if one.file_id not in accounts[one.user_id].reservations]
        refused = self._over_size(new) | self._conflicts(wanted, accounts)
        refused |= self._over_rate([one for one in new if one.file_id not in refused])
        open_ones = [one for one in wanted if one.file_id not in refused]
        refused |= self._reserve_all(open_ones, accounts)
        for one in wanted:
            self.counted.pop(one.file_id, None)
        return refused

    def _reserve_all(
        self, open_ones: Sequence[Wanted], accounts: Mapping[str, Account]
    ) -> dict[str, Rejected]:
        """Attempt after attempt, until no write loses. Raises ``Unavailable``."""
        refused: dict[str, Rejected] = {}
        for _ in range(WRITE_ATTEMPTS):
            if not open_ones:
                return refused
            raced, over = self._reserve(open_ones, accounts)
            refused |= over
            open_ones = [one for one in open_ones if one.user_id in raced]
            accounts = self.store.accounts(sorted(raced))
        if open_ones:
            raise Unavailable("an account is written by someone else all the time")
        return refused

    def _conflicts(
        self, wanted: Sequence[Wanted], accounts: Mapping[str, Account]
    ) -> dict[str, Rejected]:
        """A reservation is for what it was made for: another file must not slip in under it."""
        conflicts: dict[str, Rejected] = {}
        for one in wanted:
            held = accounts[one.user_id].reservations.get(one.file_id)
            if held and held.size != one.facts.size:
                conflicts[one.file_id] = MessageIdConflict(one.message_id)
        return conflicts

    def _over_size(self, wanted: Sequence[Wanted]) -> dict[str, Rejected]:
        refused: dict[str, Rejected] = {}
        for one in wanted:
            try:
                self.policy().check(one.facts, one.tier)
            except Rejected as error:
                refused[one.file_id] = error
        return refused

    def _over_rate(self, wanted: Sequence[Wanted]) -> dict[str, Rejected]:
        refused: dict[str, Rejected] = {}
        uncounted = [one for one in wanted if one.file_id not in self.counted]
        by_user = _by_user(uncounted)
        for tier in sorted({mine[-1].tier for mine in by_user.values()}):
            limit = self.policy().tier(tier).requests_per_minute
            counts = {name: len(mine) for name, mine in by_user.items() if mine[-1].tier == tier}
            for user_id, taken in self.limiter.take_all(counts, per_minute=limit).items():
                if beyond := by_user[user_id][taken.granted :]:
                    error = self._rate_limited(tier, limit, taken.retry_after_seconds)
                    refused |= {one.file_id: error for one in beyond}
        self.counted.update({one.file_id: None for one in uncounted if one.file_id not in refused})
        if len(self.counted) > COUNTED_MAX:
            self.counted.clear()
        return refused

    def _reserve(
        self, wanted: Sequence[Wanted], accounts: Mapping[str, Account]
    ) -> tuple[set[str], dict[str, Rejected]]:
        """One attempt; returns the users who lost a race, and the refusals of the others."""
        by_user, now = _by_user(wanted), self.clock()
        end = now + LEASE_SECONDS * 1000
        leases = self.leases.active(list(by_user))
        after: dict[str, Account] = {}
        holds: dict[str, dict[str, int]] = {}
        refused: dict[str, dict[str, Rejected]] = {}
        for user_id, mine in by_user.items():
            account = accounts[user_id]
            refused[user_id] = {}
            # Nobody knows which reservations are in use: all of them count.
            forgotten = {} if user_id in leases else dict.fromkeys(account.reservations, end)
            active = leases.get(user_id, forgotten)
            taken: dict[str, int] = {}
            for one in mine:
                if error := self._over(one, account, active | taken, now):
                    refused[user_id][one.file_id] = error
                    continue
                if one.file_id not in account.reservations:
                    account = account.reserve(one.file_id, one.facts.size, one.until_ms)
                taken[one.file_id] = end
            holds[user_id] = forgotten | taken
            if account != accounts[user_id]:
                after[user_id] = replace(account, version=account.version + 1)
        done = self.store.write([(account,) for account in after.values()]) if after else []
        raced = {user_id for user_id, ok in zip(after, done, strict=True) if not ok}
        self.leases.hold({user_id: holds[user_id] for user_id in holds.keys() - raced})
        settled = [errors for user_id, errors in refused.items() if user_id not in raced]
        return raced, {name: error for errors in settled for name, error in errors.items()}

    def _over(
        self, one: Wanted, account: Account, leases: Mapping[str, int], now: int
    ) -> Rejected | None:
        if one.file_id in account.reservations:
            return None  # granted before, and delivered again
        tier, premium = self.policy().tier(one.tier), self.policy().tier(PREMIUM)
        ends = sorted(end for end in leases.values() if end > now)
        if len(ends) >= tier.concurrent_uploads:
            return self._too_many(one.tier, tier.concurrent_uploads, ends, now)
        if len(account.reservations) >= min(10 * tier.concurrent_uploads, RESERVATIONS_MAX):
            ends = sorted(held.until_ms for held in account.reservations.values())
            return self._too_many(one.tier, tier.concurrent_uploads, ends, now)
        if account.in_use_bytes + one.facts.size <= tier.storage_quota:
            return None
        fits_later = account.used_bytes + one.facts.size <= tier.storage_quota
        clears = max((held.until_ms for held in account.reservations.values()), default=now)
        return QuotaExceeded(
            f"{one.facts.size} bytes do not fit: {account.used_bytes} stored and "
            f"{account.reserved_bytes} reserved of the {tier.storage_quota} bytes of the "
            f"{one.tier} tier; "
            + ("wait for unfinished uploads" if fits_later else "delete files to make room"),
            Use(
                one.tier,
                tier.storage_quota,
                premium.storage_quota,
                in_use=account.in_use_bytes,
                size=one.facts.size,
                clears_at=iso(clears) if fits_later else None,
            ),
        )

    def _too_many(self, tier: str, limit: int, ends: Sequence[int], now: int) -> Rejected:
        premium = self.policy().tier(PREMIUM).concurrent_uploads
        wait = max(1, -(-(ends[0] - now) // 1000))
        return TooManyUploads(
            f"{len(ends)} uploads are unfinished, and {limit} at once are allowed in the {tier} "
            "tier; finish or cancel some",
            Use(
                tier,
                limit,
                premium,
                in_use=len(ends),
                retry_after_seconds=wait,
                clears_at=iso(now + wait * 1000),
            ),
        )

    def _rate_limited(self, tier: str, limit: int, wait: int) -> Rejected:
        return RateLimited(
            f"{limit} upload requests a minute are allowed in the {tier} tier, and that many "
            "were made",
            Use(
                tier,
                limit,
                self.policy().tier(PREMIUM).requests_per_minute,
                in_use=limit,
                retry_after_seconds=wait,
                clears_at=iso(self.clock() + wait * 1000),
            ),
        )


def _by_user(wanted: Sequence[Wanted]) -> dict[str, list[Wanted]]:
    users: dict[str, list[Wanted]] = {}
    for one in wanted:
        users.setdefault(one.user_id, []).append(one)
    return users
