"""Scenarios at the edges: quotas, and uploads that nobody finishes."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from hoist.domain.model import FileRecord, Status
from loadtest import truth
from loadtest.ledger import Outcome
from tests.chaos.case import Case
from tests.chaos.clients import Client, Habits
from tests.chaos.course import scenario

ROOM, BYTES = 10, 1000


@scenario("quota", "R16", "200 requests at once, with room for ten")
def quota(case: Case) -> None:
    case.users = [case.lab.user("ada", "basic")]
    [user] = case.users
    with case.lab.tiers(basic={"storageQuota": ROOM * BYTES}), case.watching_quotas():
        clients = [
            Client(case.ledger, case.users, case.lab.urls, f"{case.seed}/{n}", Habits())
            for n in range(20)
        ]

        def work(client: Client) -> list[bool]:
            granted = []
            for _ in range(10):
                name = "m-" + secrets.token_hex(8)
                request = case.ledger.open(user.user_id, name, BYTES)
                while not client.ask(user, request)[1] and not request.refusal:
                    time.sleep(0.1)
                granted.append(request.outcome is Outcome.OK and request.refusal is None)
            client.close()
            return granted

        with ThreadPoolExecutor(len(clients)) as pool:
            accepted = sum(sum(granted) for granted in pool.map(work, clients))
    case.facts |= {"requests": 200, "granted": accepted}
    if accepted != ROOM:
        case.complain("I5", user.user_id, f"{accepted} granted, with room for {ROOM}")


@scenario("orphans", "R21", "URLs nobody uses, objects that vanish, two janitors at once")
def orphans(case: Case) -> None:
    lab = case.lab
    environment = {**lab.environment, **lab.settings}
    command = [sys.executable, "-m", "hoist.workers", "janitor"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    second = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]
    with lab.no_bucket_events(), case.load(30, sends=0.5, parts=0.03):
        time.sleep(lab.size(4, 30))
    stored = truth.wait_until(lambda: _vanish(case) >= lab.size(3, 30), 90)
    if second.poll() is not None:
        case.complain("lab", "the second janitor", f"ended by itself: {second.returncode}")
    second.terminate()
    second.wait(30)
    if stored is None:
        case.complain("I8", "janitor", "what was uploaded without an event is not stored")
    for difference in lab.services.reconcile(0):
        if difference.repair and difference.kind == "file_without_object":
            difference.repair()
    # Bytes that somebody else deleted: the service says so, and that is their end.
    for name in case.vanished:
        case.ledger.requests[name].sent = None


def _vanish(case: Case) -> int:
    """Deletes objects of stored files behind the service's back; how many so far."""
    mine = {user.user_id for user in case.users}
    for row in case.lab.services.store.scan():
        if isinstance(row, FileRecord) and row.user_id in mine and row.status is Status.STORED:
            case.lab.services.objects.discard(row)
            case.vanished.add((row.user_id, row.message_id))
            if len(case.vanished) >= case.lab.size(3, 30):
                break
    return len(case.vanished)
