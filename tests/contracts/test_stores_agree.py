"""The stores beside each other: the same random operations, and the same answers from all."""

from __future__ import annotations

import itertools
import secrets
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from emulation import provision
from hoist.adapters import dynamodb
from hoist.adapters.sql import SqlMetadata
from hoist.adapters.sql_database import connect
from hoist.domain.account import Account, Reservation, account_row_id
from hoist.domain.model import FileFacts, FileRecord, Status, file_id
from hoist.domain.sharing import Download, Downloads, Share, downloads_row_id, share_row_id
from tests.contracts.random_rows import (
    DUE,
    FILES,
    Place,
    changes,
    contents,
    firsts,
    places,
    some_listings,
)
from tests.doubles import MemoryMetadata

SHARES = ["first", "second"]
numbers = itertools.count()


@pytest.fixture(scope="module")
def stores(postgres_server, dynamodb_client, as_process, tmp_path_factory):
    """Empty ones of their own: what is due is everybody's."""
    urls = {
        "sqlite": f"sqlite:///{tmp_path_factory.mktemp('agree') / 'store.db'}",
        "postgres": postgres_server.rpartition("/")[0] + "/agree",
    }
    for url in urls.values():
        provision.create_store({"HOIST_STORE": url})
    table = f"agree-{secrets.token_hex(4)}"
    provision.create_table(as_process, table)
    with closing(SqlMetadata(connect(urls["postgres"]))) as postgres:
        yield {
            "memory": MemoryMetadata(),
            "sqlite": SqlMetadata(connect(urls["sqlite"])),
            "postgres": postgres,
            "dynamodb": dynamodb.DynamoMetadata(dynamodb_client, table),
        }


class Stores(RuleBasedStateMachine):
    def __init__(self, stores: dict[str, Any]) -> None:
        super().__init__()
        self.stores, self.memory = stores, stores["memory"]
        self.users = [f"auth0|agree-{next(numbers)}" for _ in range(2)]
        self.open_pages: list[tuple[Any, ...]] = []

    def all_say(self, ask) -> Any:
        """What all of them answer."""
        told = {name: ask(store) for name, store in self.stores.items()}
        for name, answer in told.items():
            assert answer == told["memory"], name
        return told["memory"]

    def key(self, place: Place) -> tuple[str, str]:
        user, message_id = self.users[place.who], FILES[place.which]
        share = f"{user}-{SHARES[place.which % 2]}"
        row_ids = {
            "file": file_id(user, message_id),
            "account": account_row_id(user),
            "share": share_row_id(share),
            "downloads": downloads_row_id(file_id(user, message_id)),
        }
        return user, row_ids[place.kind]

    def row(self, place: Place, content: dict[str, Any]) -> Any:
        key = self.key(place)
        stored = self.memory.rows([key]).get(key)
        version = max(1, (stored.version if stored else 0) + 1 + place.off_by)
        user, number = key[0], content["due"]
        if place.kind == "account":
            held = {"f": Reservation(content["size"], number)} if content["size"] > 9 else {}
            return Account(user, content["size"], held, version)
        if place.kind == "share":
            share_id = key[1].partition("#")[2]
            return Share(user, share_id, "f", content["time"], downloads=number, version=version)
        if place.kind == "downloads":
            last = (Download("d", content["time"], "owner", None, content["name"]),)
            return Downloads(user, key[1].partition("#")[2], number, last, version)
        return self.file(key, place, content, version)

    def file(self, key, place: Place, content: dict[str, Any], version: int) -> FileRecord:
        facts = FileFacts(
            content["name"],
            content["size"],
            content["type"],
            content["visibility"],
            folder=content["folder"],
        )
        is_deleted = content["status"] is Status.DELETED
        return FileRecord(
            user_id=key[0],
            file_id=key[1],
            message_id=FILES[place.which],
            file=facts,
            status=content["status"],
            created_at_ms=content["time"],
            settle_after_ms=content["due"],
            revision=1,
            purge_after_ms=content["due"] + 1 if is_deleted else None,
            version=version,
            steps=content["steps"],
        )

    @initialize(asked=firsts)
    def begin(self, asked) -> None:
        """A user with something to list."""
        made = [(Place(0, "file", which, 0), content) for which, content in enumerate(asked)]
        rows = [(self.row(place, content | {"status": Status.STORED}),) for place, content in made]
        self.all_say(lambda store: store.write(rows))

    @rule(asked=changes)
    def write(self, asked) -> None:
        """No row twice in one call; what a race would do, the wrong versions do."""
        seen: set[Any] = set()
        made = []
        for change in asked:
            rows = {self.key(place): self.row(place, content) for place, content in change}
            made.append(tuple(row for key, row in rows.items() if key not in seen))
            seen |= rows.keys()
        rows = [change for change in made if change]
        self.all_say(lambda store: store.write(rows))

    @rule(place=places, content=contents, off_by=st.sampled_from([-1, 1]))
    def lose(self, place, content, off_by) -> None:
        """Somebody decided on a version that is not the stored one."""
        row = self.row(replace(place, off_by=off_by), content)
        self.all_say(lambda store: store.write([(row,)]))

    @rule(asked=st.lists(places, max_size=5))
    def look(self, asked) -> None:
        keys = [self.key(place) for place in asked]
        keys += [(self.users[0], row_id) for _, row_id in keys]  # some are another's
        self.all_say(lambda store: store.rows(keys))
        self.all_say(lambda store: store.get_many(keys))
        self.all_say(lambda store: store.accounts([user for user, _ in keys]))
        self.all_say(lambda store: store.owners([row_id for _, row_id in keys]))

    @rule(who=st.integers(0, 1))
    def links(self, who) -> None:
        self.all_say(lambda store: {one.share_id: one for one in store.shares(self.users[who])})

    @rule(who=st.integers(0, 1), listing=some_listings, limit=st.sampled_from([1, 2, 3, 50]))
    def first_page(self, who, listing, limit) -> None:
        self.page(self.users[who], listing, limit, None)

    @rule()
    def next_page(self) -> None:
        """Of the list that waits longest; much may have been written since."""
        if self.open_pages:
            self.page(*self.open_pages.pop(0))

    def page(self, user, listing, limit, position) -> None:
        page = self.all_say(
            lambda store: store.list_by_user(user, listing, limit=limit, position=position)
        )
        if page.next_position:
            self.open_pages.append((user, listing, limit, page.next_position))

    @rule(
        at_ms=st.sampled_from([*DUE, 201, 3_600_100, 3_600_200, 10**10]),
        limit=st.sampled_from([2, 1000]),
    )
    def overdue(self, at_ms, limit) -> None:
        """Rows that are due at one time come in any order."""

        def ask(store) -> Any:
            found = store.overdue(at_ms, limit=limit)
            keys = [*found.files, *((user, account_row_id(user)) for user in found.users)]
            due = sorted(row.due_at_ms for row in self.memory.rows(keys).values())
            return due, sorted(keys) if limit == 1000 else len(keys)

        self.all_say(ask)

    def teardown(self) -> None:
        while self.open_pages:
            self.page(*self.open_pages.pop(0))
        self.all_say(
            lambda store: {
                (row.user_id, row.row_id): row for row in store.scan() if row.user_id in self.users
            }
        )


def test_all_stores_answer_the_same(stores):
    run_state_machine_as_test(
        lambda: Stores(stores),
        settings=settings(
            max_examples=25,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
