"""The checks, checked: each promise is broken by hand on the running stack, and must be missed.

What is planted stays there, so this comes last.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx

from emulation import provision
from hoist.domain.model import FileRecord, Status
from loadtest import truth
from loadtest.checks import Truth, Violation, violations
from tests.chaos.case import Case

LOOK_SECONDS_MAX, SETTLE_SECONDS_MAX = 30.0, 2.0


def overlooked(case: Case) -> Iterator[str]:
    """The promises that were broken without anybody noticing; *case* must be settled.

    What was found before a plant proves nothing of it: each must be seen as something new.
    """
    before = _found(case)
    for plant, promises in PLANTS:
        plant(case)
        now = _found(case)
        yield from promises - {each.promise for each in now - before}
        before = now
    if not _is_seen_to_be_behind(case):
        yield "I8"


def _found(case: Case) -> set[Violation]:
    found = truth.read(case.lab.services, case.ledger, case.users, case.lab.urls)
    return set(violations(case.ledger, found))


def _stored(case: Case) -> FileRecord:
    """The newest stored file of somebody of this case: one that is on the first page."""
    mine = {user.user_id for user in case.users}
    rows = [
        row
        for row in case.lab.services.store.scan()
        if isinstance(row, FileRecord) and row.user_id in mine and row.status is Status.STORED
    ]
    assert rows, "nothing was stored in this case"
    return max(rows, key=lambda row: row.created_at_ms)


def _lose(case: Case) -> None:
    """A record vanishes, and the list that was cached still has it."""
    row = _stored(case)
    owner = next(user for user in case.users if user.user_id == row.user_id)
    with httpx.Client(timeout=30) as client:
        for url in case.lab.urls:
            truth.listed(client, url, owner, case.ledger)
    table = case.lab.direct["HOIST_STORE"].removeprefix("dynamodb://")
    key = {"userId": {"S": row.user_id}, "fileId": {"S": row.file_id}}
    provision.client("dynamodb", case.lab.direct).delete_item(TableName=table, Key=key)


def _double(case: Case) -> None:
    """A second record for a messageId."""
    row = replace(_stored(case), file_id=str(uuid.uuid4()), version=1)
    assert case.lab.services.store.write([(row,)]) == [True]


def _make_up(case: Case) -> None:
    """A record that nobody asked for."""
    row = _stored(case)
    made_up = replace(row, file_id=str(uuid.uuid4()), message_id="m-made-up", version=1)
    assert case.lab.services.store.write([(made_up,)]) == [True]


def _leak(case: Case) -> None:
    """Room that is never given back."""
    store, user_id = case.lab.services.store, case.users[0].user_id
    account = store.accounts([user_id])[user_id]
    leaked = account.reserve(str(uuid.uuid4()), 1000, case.lab.services.clock() + 3_600_000)
    assert store.write([(replace(leaked, version=account.version + 1),)]) == [True]


def _mix_up(case: Case) -> None:
    """Somebody is shown a stranger's file."""
    row = _stored(case)
    stranger = next(user for user in case.users if user.user_id != row.user_id)
    case.ledger.show(stranger.user_id, {"fileId": row.file_id})


PLANTS: tuple[tuple[Callable[[Case], None], set[str]], ...] = (
    (_lose, {"I1", "I6", "I9"}),
    (_double, {"I2", "I4"}),
    (_make_up, {"I3"}),
    (_leak, {"I5"}),
    (_mix_up, {"I7"}),
)


def _is_seen_to_be_behind(case: Case) -> bool:
    """One consumer sleeps while its lane has something for it."""
    user = next(user for user in case.users if user.tier == "basic")
    file = {"name": "late.bin", "size": 1}
    body = {"messageId": f"m-{uuid.uuid4()}", "file": file}
    with case.lab.stopped("upload-basic"):
        url = f"{case.lab.urls[0]}/files/upload"
        httpx.post(url, json=body, headers=user.headers, timeout=30).raise_for_status()
        if truth.wait_until(lambda: bool(case.lab.behind()), LOOK_SECONDS_MAX) is None:
            return False
        before = case.quiet_seconds
        case.settle(SETTLE_SECONDS_MAX)
        late = Truth(quiet_seconds=case.quiet_seconds)
        case.quiet_seconds = before
    return any(each.promise == "I8" for each in violations(case.ledger, late))
