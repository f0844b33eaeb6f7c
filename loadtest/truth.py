"""What is true once all is quiet: read past every fault, from the engines and over the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from hoist.domain.account import Account
from hoist.domain.listing import NEWEST_FIRST
from hoist.domain.model import FileRecord, file_id
from hoist.pipeline.letters import STATES, Wanted, decoded
from hoist.wiring import Services
from loadtest.checks import FINAL, Books, Row, Truth
from loadtest.ledger import Ledger, Name, Outcome
from loadtest.people import User

RETRIES = ".retry-"
READERS = 4


def rows_and_accounts(services: Services) -> tuple[list[Row], dict[str, Account]]:
    """Every record and account in the store."""
    rows: list[Row] = []
    accounts: dict[str, Account] = {}
    for found in services.store.scan():
        if isinstance(found, Account):
            accounts[found.user_id] = found
        elif isinstance(found, FileRecord):
            rows.append(
                Row(
                    found.user_id,
                    found.message_id,
                    found.file_id,
                    found.s3_key,
                    found.file.size,
                    found.status.value,
                    found.stored.etag if found.stored else "",
                )
            )
    return rows, accounts


def unsettled(ledger: Ledger, rows: Iterable[Row], accounts: Mapping[str, Account]) -> list[Name]:
    """Accepted requests without a last word yet, and users with room still reserved."""
    final = {row.name for row in rows if row.status in FINAL}
    open_ones = [
        name
        for name, request in ledger.requests.items()
        if request.outcome is Outcome.OK and not request.refusal and name not in final
    ]
    users = {user_id for user_id, _ in ledger.requests}
    return open_ones + [
        (user_id, "reserved")
        for user_id, account in accounts.items()
        if user_id in users and account.reservations
    ]


def behind(services: Services, *, retries: bool) -> int:
    """How many records wait in front of the consumers; with those of the retry topics or without.

    Raises ``Unavailable``.
    """
    lags = services.measure_lag().partitions
    return sum(one.lag for one in lags if retries or RETRIES not in one.topic)


def dead_letters(services: Services, ledger: Ledger) -> set[Name]:
    """Whose requests rest in the dead letters."""
    names = {file_id(*name): name for name in ledger.requests}
    found: set[Name] = set()
    for letter in services.dead_letters.matching(Wanted()):
        payload = decoded(letter.payload)
        if not isinstance(payload, dict):
            continue
        if isinstance(payload.get("messageId"), str):
            found.add((letter.user_id, payload["messageId"]))
        elif payload.get("fileId") in names:
            found.add(names[payload["fileId"]])
    return found


def letters_since(services: Services, at_ms: int) -> list[str]:
    """Each record that was set aside since *at_ms*, whoever's it is, and why."""
    letters = services.dead_letters.matching(Wanted(from_ms=at_ms, states=STATES["all"]))
    return [f"{letter.id} of {letter.user_id}: {letter.error}" for letter in letters]


def listed(client: httpx.Client, url: str, user: User, ledger: Ledger) -> list[str]:
    """What the gateway at *url* lists for *user*, page by page."""
    told: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        answer = client.get(f"{url}/files", params=params, headers=user.headers)
        page = answer.raise_for_status().json()
        ledger.show(user.user_id, page)
        told += [f"{file['fileId']} {file['status']}" for file in page["files"]]
        cursor = page["nextCursor"]
        if not cursor:
            return told


def stored_list(services: Services, user_id: str) -> list[str]:
    """The same out of the store."""
    told: list[str] = []
    position: str | None = None
    while True:
        page = services.store.list_by_user(user_id, NEWEST_FIRST, limit=200, position=position)
        told += [f"{record.file_id} {record.status.value}" for record in page.records]
        position = page.next_position
        if not position:
            return told


def books(
    services: Services, users: Sequence[User], accounts: Mapping[str, Account]
) -> dict[str, Books]:
    told = {}
    for user in users:
        account = accounts.get(user.user_id, Account(user.user_id))
        quota = services.policy().tier(user.tier).storage_quota
        told[user.user_id] = Books(account.used_bytes, account.reserved_bytes, quota)
    return told


def read(
    services: Services,
    ledger: Ledger,
    users: Sequence[User],
    urls: Sequence[str],
    *,
    is_sampled: bool = False,
) -> Truth:
    """Everything of *users*, as it is now.

    With *is_sampled* each user's list is looked at by one gateway, once.
    """
    rows, accounts = rows_and_accounts(services)
    mine = {user.user_id for user in users}
    lists: dict[tuple[str, str], Sequence[str]] = {}
    stored: dict[str, Sequence[str]] = {}
    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(READERS) as pool:

        def look(number: int) -> None:
            user = users[number]
            # Twice: the first may fill the cache, the second must tell the same out of it.
            for url in [urls[number % len(urls)]] if is_sampled else (*urls, *urls):
                lists[user.user_id, url] = listed(client, url, user, ledger)
            stored[user.user_id] = stored_list(services, user.user_id)

        list(pool.map(look, range(len(users))))
    return Truth(
        rows=[row for row in rows if row.user_id in mine],
        objects={found.key: found.size for found in services.parts.objects()},
        letters=frozenset(name for name in dead_letters(services, ledger) if name[0] in mine),
        books=books(services, users, accounts),
        lists=lists,
        stored_lists=stored,
    )


class Auditor:
    """Looks at the accounts while the load runs: nobody may ever be over the quota."""

    def __init__(self, services: Services, users: Sequence[User]) -> None:
        self._services, self._users = services, users
        self.looks = 0
        self.over: set[str] = set()

    def look(self) -> None:
        """Raises ``Unavailable``."""
        accounts = self._services.store.accounts([user.user_id for user in self._users])
        for user_id, told in books(self._services, self._users, accounts).items():
            if told.used_bytes + told.reserved_bytes > told.quota_bytes:
                self.over.add(user_id)
        self.looks += 1


class Stalls:
    """How long partitions have work, and nobody commits any."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._since: dict[tuple[str, str, int], tuple[int | None, float]] = {}
        self.longest, self.looks = 0.0, 0

    def look(self) -> None:
        """Raises ``Unavailable``."""
        partitions, now = self._services.measure_lag().partitions, time.monotonic()
        for one in partitions:
            place = (one.group, one.topic, one.partition)
            committed, since = self._since.get(place, (None, now))
            if RETRIES in one.topic or not one.lag or one.committed != committed:
                self._since[place] = (one.committed, now)
            else:
                self.longest = max(self.longest, now - since)
        self.looks += 1


def wait_until(is_so: Callable[[], bool], seconds: float) -> float | None:
    """How long it took until *is_so* was; None when it never came."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.2)
    return time.monotonic() - began
