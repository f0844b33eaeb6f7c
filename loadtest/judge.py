"""``python -m loadtest.judge``: what came of a run, compared id by id with what is true.

Takes the books as JSON from stdin, and tells its verdict as JSON. It is a process of its own: the
clients that it looks with want threads, and the one that made the load has none.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
import httpx

from hoist.config import Settings
from hoist.domain.errors import Unavailable
from hoist.domain.model import file_id
from hoist.wiring import Services
from loadtest import books, place, truth
from loadtest.checks import KEPT, Row, Truth, violations
from loadtest.ledger import Ledger, Name, Outcome
from loadtest.people import User

UP_SECONDS_MAX, QUIET_SECONDS_MAX = 60.0, 60.0
SAMPLED_ABOVE = 200  # users
SHOWN_MAX = 50


def main() -> None:
    told = json.load(sys.stdin)
    environment = place.environment()
    os.environ.update({k: v for k, v in environment.items() if k.startswith("AWS_")})
    services = Services(Settings.from_env(environment))
    ledger = Ledger()
    books.merge(ledger, told)
    users = [User(*members) for members in told["users"]]
    urls = environment["HOIST_URL"].split(",")
    since_ms, settle_seconds = told["beganMs"], told["settleSeconds"]
    verdict = judge(services, ledger, users, urls, since_ms, settle_seconds)
    services.close()
    click.echo(json.dumps(verdict))


def judge(
    services: Services,
    ledger: Ledger,
    users: Sequence[User],
    urls: Sequence[str],
    since_ms: int,
    settle_seconds: float,
) -> dict[str, Any]:
    """Wait until all runs and is quiet, settle what nobody finished, and compare.

    The accounts are looked at twice: as the load left them, with all that is reserved, and at the
    end. The run began at *since_ms*.
    """
    truth.wait_until(lambda: not _down(), UP_SECONDS_MAX)
    auditor = truth.Auditor(services, users)
    auditor.look()
    quiet = truth.wait_until(lambda: _is_quiet(services), QUIET_SECONDS_MAX)
    given_up = _cancel_unfinished(services, ledger, users, urls)
    if quiet is not None:  # else nothing settles
        truth.wait_until(
            lambda: not truth.unsettled(ledger, *truth.rows_and_accounts(services)),
            settle_seconds,
        )
    found = truth.read(services, ledger, users, urls, is_sampled=len(users) > SAMPLED_ABOVE)
    found.quiet_seconds, found.quiet_seconds_max = quiet, QUIET_SECONDS_MAX
    auditor.look()
    found.down, found.over_quota = _down(), sorted(auditor.over)
    broken = violations(ledger, found)
    return {
        "requests": ledger.counts() | {"users": len(users)},
        "refusals": dict(ledger.refusals),
        "sets": sets(ledger, found) | {"givenUp": given_up},
        "storedByTier": stored_by_tier(found, users),
        "waitedShares": waited_shares(ledger, users),
        "newDeadLetters": truth.letters_since(services, since_ms),
        "quietAfterSeconds": None if quiet is None else round(quiet, 1),
        "violations": [str(one) for one in broken[:SHOWN_MAX]],
        "violationsCount": len(broken),
        "promises": dict(Counter(one.promise for one in broken)),
    }


def sets(ledger: Ledger, found: Truth) -> dict[str, Any]:
    """What was granted, stored and listed, as sets of ids; how they differ, by name."""
    mine = {file_id(*name): name for name in ledger.requests}
    granted = {name for name, one in ledger.requests.items() if one.answered and not one.refusal}
    cancelled = {name for name in granted if ledger.requests[name].is_cancelled}
    kept = Counter(row.name for row in found.rows if row.status in KEPT)
    listed: Counter[Name] = Counter()
    for shown in {user_id: shown for (user_id, _), shown in found.lists.items()}.values():
        ids = [line.split(" ") for line in shown]
        listed.update(mine[own] for own, status in ids if status in KEPT and own in mine)
    expired = {row.name for row in found.rows if row.status == "expired"}
    # Whose bytes never all came, in a run longer than a URL's life: given up, not lost.
    unsent = {name for name in expired & granted if ledger.requests[name].sent is not Outcome.OK}
    lost = granted - cancelled - unsent - kept.keys()
    unlisted = {row.name for row in found.rows if row.status == "stored"} - listed.keys()
    twice = {name for found in (kept, listed) for name, count in found.items() if count > 1}
    return {
        "granted": len(granted),
        "cancelled": len(cancelled),
        "stored": len(kept),
        "listed": len(listed),
        "lost": len(lost),
        "unlisted": len(unlisted),
        "duplicated": len(twice),
        "lostNames": sorted(map(list, lost | unlisted))[:SHOWN_MAX],
        "duplicatedNames": sorted(map(list, twice))[:SHOWN_MAX],
    }


def stored_by_tier(found: Truth, users: Sequence[User]) -> dict[str, int]:
    """How many of the files of people of each tier were stored."""
    tiers = {user.user_id: user.tier for user in users}
    return dict(Counter(tiers[row.user_id] for row in found.rows if row.status in KEPT))


def waited_shares(ledger: Ledger, users: Sequence[User]) -> dict[str, float]:
    """By tier: of the time that clients were busy with uploads, how much they were told to wait."""
    tiers = {user.user_id: user.tier for user in users}
    busy, waited = defaultdict[str, float](float), defaultdict[str, float](float)
    for request in ledger.requests.values():
        tier = tiers.get(request.user_id, "")
        busy[tier] += request.seconds
        waited[tier] += request.waited_seconds
    return {tier: round(waited[tier] / seconds, 3) for tier, seconds in busy.items() if seconds}


def _down() -> list[str]:
    """What does not run, of a stack that runs here."""
    return [row["name"] for row in place.stack().status() if row["state"] != "ready"]


def _is_quiet(services: Services) -> bool:
    try:
        return truth.behind(services, retries=True) == 0
    except Unavailable:
        return False


def _cancel_unfinished(
    services: Services, ledger: Ledger, users: Sequence[User], urls: Sequence[str]
) -> int:
    """Give up, as a good client does, uploads whose bytes were not sent; how many."""
    rows, _ = truth.rows_and_accounts(services)
    tokens = {user.user_id: user for user in users}
    open_rows = [row for row in rows if _is_unfinished(row, ledger)]
    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(truth.READERS) as pool:

        def cancel(row: Row) -> None:
            ledger.requests[row.name].is_cancelled = True
            headers: Mapping[str, str] = tokens[row.user_id].headers
            client.delete(f"{urls[0]}/uploads/{row.file_id}", headers=headers).raise_for_status()

        list(pool.map(cancel, open_rows))
    return len(open_rows)


def _is_unfinished(row: Row, ledger: Ledger) -> bool:
    request = ledger.requests.get(row.name)
    return request is not None and row.status == "pending" and request.sent is not Outcome.OK


if __name__ == "__main__":
    main()
