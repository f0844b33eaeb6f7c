"""Scenarios about what travels: poison, replays, and the same thing said many times."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hoist.adapters import kafka
from hoist.domain.messages import GROUPS, ingest_topic
from hoist.pipeline.letters import STATES, Letter, Wanted
from hoist.pipeline.replay import ReplayOrder
from loadtest import truth
from loadtest.people import User
from loadtest.racers import BODIES, race
from tests.chaos.case import Case
from tests.chaos.clients import Client, Habits
from tests.chaos.course import scenario

DONE_SECONDS_MAX = 240.0
BY = "the lab"


def poison(number: int, user: User) -> bytes | None:
    """Bytes that no reader of ours may accept; *number* chooses which."""
    good = json.loads(envelope(user, "m-" + secrets.token_hex(8), 10, number))
    kinds: Sequence[Any] = (
        None,
        b"\xff\xfe\x00not text",
        b'{"version": 1,',
        b"[" * 60_000,
        json.dumps(good | {"requestedAt": 0}).replace('"requestedAt": 0', '"requestedAt": NaN'),
        json.dumps(good).replace(str(good["requestedAt"]), "9" * 5000),
        json.dumps(good | {"version": 99}),
        b"x" * 900_000,
        json.dumps({name: value for name, value in good.items() if name != "file"}),
    )
    chosen = kinds[number % len(kinds)]
    return chosen.encode() if isinstance(chosen, str) else chosen


def envelope(user: User, message_id: str, size: int, at_ms: int) -> bytes:
    """A request as the gateway puts it on its lane."""
    file = {"name": f"{message_id}.bin", "size": size}
    told = {"version": 1, "messageId": message_id, "userId": user.user_id, "tier": user.tier}
    return json.dumps({**told, "file": file, "requestedAt": at_ms}).encode()


@scenario("poison", "R7, R8", "poison among good messages; mended, replayed, replayed again")
def poisoned(case: Case) -> None:
    lab = case.lab
    case.users = lab.users(lab.size(6, 24))
    good, bad = lab.size(500, 10_000), lab.size(50, 1000)
    exits, letters_before = lab.restarts(), sum(1 for _ in _letters(case))
    with case.watching_partitions() as longest:
        places = _produce(case, good, bad)
        done = truth.wait_until(lambda: lab.behind() == 0, DONE_SECONDS_MAX)
    case.facts |= {"good": good, "poison": bad, "longest stall seconds": round(longest(), 1)}
    if done is None:
        case.complain("I8", "the lanes", f"not done within {DONE_SECONDS_MAX:.0f} s")
    if longest() > 5:
        case.complain("I8", "a partition", f"stood still for {longest():.1f} s behind poison")
    if lab.restarts() != exits:
        case.complain("I8", "consumers", "some ended")
    letters = [letter for letter in _letters(case) if _origin(letter) in places]
    found = {_origin(letter) for letter in letters}
    for place in places - found:
        case.complain("I9", str(place), "poison that is not in the dead letters")
    extra = sum(1 for _ in _letters(case)) - len(letters) - letters_before
    if extra or len(letters) != len(found):
        case.complain("I9", "dead letters", f"{extra} more, {len(letters) - len(found)} twice")
    if any(not letter.journey.error for letter in letters):
        case.complain("I9", "dead letters", "one does not say why")
    _mend_and_replay(case, letters)


def _produce(case: Case, good: int, bad: int) -> set[tuple[str, int, int]]:
    """Puts both on the lanes, shuffled; returns where the poison went."""
    producer = kafka.producer(case.lab.direct["HOIST_KAFKA_BOOTSTRAP"])
    kinds = [True] * good + [False] * bad
    case.random.shuffle(kinds)
    waiting: list[Any] = []
    places = set()
    for number, is_good in enumerate(kinds):
        user = case.users[number % len(case.users)]
        topic, key = ingest_topic(user.tier), user.user_id.encode()
        if not is_good:
            waiting.append(producer.send(topic, key=key, value=poison(len(waiting), user)))
            continue
        request = case.ledger.open(user.user_id, "m-" + secrets.token_hex(8), 100)
        value = envelope(user, request.message_id, request.size, case.lab.services.clock())
        request.outcome = request.outcome.OK
        producer.send(topic, key=key, value=value)
        if number % 200 == 0:
            producer.flush()  # what waits too long to be sent is given up
    for future in waiting:
        at = future.get(timeout=60)
        places.add((at.topic, at.partition, at.offset))
    producer.flush()
    producer.close()
    return places


def _letters(case: Case) -> Iterator[Letter]:
    return case.lab.services.dead_letters.matching(Wanted(groups=tuple(GROUPS.values())))


def _origin(letter: Letter) -> tuple[str, int, int]:
    journey = letter.journey
    return journey.origin_topic, journey.origin_partition, journey.origin_offset


def _mend_and_replay(case: Case, letters: Sequence[Letter]) -> None:
    """Every letter is edited into a request that makes sense; each replay may add it once."""
    desk, replay = case.lab.services.dead_letters, case.lab.services.replay
    began = time.monotonic()
    users = {user.user_id: user for user in case.users}

    def mend(letter: Letter) -> None:
        user = users[letter.user_id]
        request = case.ledger.open(user.user_id, "m-" + secrets.token_hex(8), 100)
        request.outcome = request.outcome.OK
        at_ms = case.lab.services.clock()
        desk.edit(letter.id, envelope(user, request.message_id, request.size, at_ms), BY)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(mend, letters))
    case.facts["edits a second"] = round(len(letters) / (time.monotonic() - began), 1)
    ids = {letter.id for letter in letters}
    for attempt, expected in ((1, len(letters)), (2, 0)):
        book = desk.book()
        wanted = Wanted(groups=tuple(GROUPS.values()), states=STATES["all"])
        mine = (letter for letter in desk.matching(wanted, book) if letter.id in ids)
        outcomes = list(replay(mine, ReplayOrder(by=BY), book))
        added = sum(outcome.result == "replayed" for outcome in outcomes)
        case.facts[f"replay {attempt} added"] = added
        if added != expected:
            case.complain("I2", f"replay {attempt}", f"added {added} records, not {expected}")


@scenario("releases", "R20", "requests of an older and a newer release among those of this one")
def releases(case: Case) -> None:
    """Each is put on its lane twice, as a retry might; nobody may refuse what they do not know."""
    lab, later = case.lab, {"later": {"deep": [1, None, "\u00e4"]}}
    before = sum(1 for _ in _letters(case))
    producer = kafka.producer(lab.direct["HOIST_KAFKA_BOOTSTRAP"])
    with case.load(20):
        for number in range(lab.size(60, 6_000)):
            user = case.users[number % len(case.users)]
            request = case.ledger.open(user.user_id, "m-" + secrets.token_hex(8), 100)
            request.outcome = request.outcome.OK
            value = envelope(user, request.message_id, request.size, lab.services.clock())
            headers: list[tuple[str, bytes]] = []
            if case.random.random() < 0.5:
                told = json.loads(value)
                value = json.dumps(told | later | {"file": told["file"] | later}).encode()
                headers = [("hoist-later", b"\x00\xff")]
            for _ in range(2):
                key = user.user_id.encode()
                producer.send(ingest_topic(user.tier), key=key, value=value, headers=headers)
            time.sleep(0.01)
        producer.close()
    if truth.wait_until(lambda: lab.behind() == 0, DONE_SECONDS_MAX) is None:
        case.complain("I8", "the lanes", f"not done within {DONE_SECONDS_MAX:.0f} s")
    if extra := sum(1 for _ in _letters(case)) - before:
        case.complain("I9", "dead letters", f"{extra} messages of other releases were set aside")


@scenario("repeats", "R9", "each request is made one to five times, over both transports")
def repeats(case: Case) -> None:
    count, threads = case.lab.size(360, 10_000), 12
    case.users = case.lab.users(case.lab.size(6, 24))

    def work(number: int) -> int:
        client = Client(
            case.ledger, case.users, case.lab.urls, f"{case.seed}/{number}", Habits(parts=0)
        )
        asked = 0
        for _ in range(count // threads):
            request = client.upload(lambda: False)
            for _ in range(client.random.randrange(5)):
                if client.random.random() < 0.1:
                    client.asker.hang_up()
                client.ask(client.whose(request), request)
            asked += request.attempts
        client.close()
        return asked

    with case.lab.tiers(basic={"storageQuota": 2**40}), ThreadPoolExecutor(threads) as pool:
        case.facts["asked"] = sum(pool.map(work, range(threads)))


@scenario("racers", "R9", "64 racers on one messageId, over both transports and both gateways")
def racers(case: Case) -> None:
    """Some bring another file: one file wins, and all who brought it get the same answer."""
    user = case.users[0]
    for each in race(case.lab.urls, user.token, case.lab.size(10, 200)):
        grants = each.grants
        size = len(BODIES[grants[0].name]) if grants else 0
        request = case.ledger.open(user.user_id, each.message_id, size)
        request.attempts = len(each.answers)
        for grant in grants:
            request.granted(grant.file_id)
        if not grants:
            case.complain("I8", user.user_id, f"nobody won {each.message_id}")
        for wrong in each.wrong():
            case.complain("I4", user.user_id, wrong)
    case.facts["rounds"] = len(case.ledger.requests)
