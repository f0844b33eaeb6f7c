"""Who has no socket: a lister and a sharer."""

from __future__ import annotations

import random
import time
from typing import Any

from gevent import sleep
from locust import tag, task

from hoist.domain.model import file_id
from loadtest.books import BOOKS
from loadtest.ledger import note
from loadtest.persona import Persona
from loadtest.personas import SIZES, some_size
from loadtest.uploads import PATIENCE_SECONDS, Failed, new_id, some_bytes

PREFER_SECONDS = 20


class RestUser(Persona):
    """Has no socket: asks over REST, and looks until the file is stored."""

    abstract = True

    def on_start(self) -> None:
        super().on_start()
        self.asked: set[str] = set()
        self.stored: dict[str, bytes] = {}

    def send(self) -> str | None:
        """Upload a small file; its id, or None when that did not work."""
        body = some_bytes(some_size(SIZES[:2]))
        with BOOKS.upload(self.person.user_id, new_id(), len(body)) as request:
            self.asked.add(file_id(*request.name))
            deadline = time.monotonic() + PATIENCE_SECONDS
            upload: dict[str, Any] = {}
            while "upload" not in upload:
                request.attempts += 1
                answer = self.call(
                    "POST",
                    "/files/upload",
                    (201, 202),
                    json={
                        "messageId": request.message_id,
                        "file": {"name": f"{request.message_id}.bin", "size": len(body)},
                    },
                    headers={"Prefer": f"wait={PREFER_SECONDS}"},
                )
                if answer is None:
                    request.unanswered()
                else:
                    upload = answer[1]
                    note(request, upload)
                if time.monotonic() > deadline:
                    self.fire("granted", PATIENCE_SECONDS, error="no URL", kind="REST")
                    return None
            try:
                self.uploads.put(request, upload["upload"], body)
            except Failed:
                return None
            if not self._until_stored(upload["fileId"]):
                return None
            self.stored[upload["fileId"]] = body
            return str(upload["fileId"])

    def _until_stored(self, own_id: str) -> bool:
        began = time.monotonic()
        while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
            answer = self.call("GET", f"/uploads/{own_id}")
            if answer and answer[1]["state"] == "stored":
                self.fire("stored", waited, kind="REST")
                return True
            sleep(0.5)
        self.fire("stored", waited, error="nobody said so", kind="REST")
        return False


class Lister(RestUser):
    """Looks at its files in every way, and must find what it stored, and nothing else."""

    weight = 20
    think = (0.5, 3.0)

    def on_start(self) -> None:
        super().on_start()
        for _ in range(3):
            self.send()

    @tag("list")
    @task(6)
    def first_page(self) -> None:
        self._look("/files?limit=50")

    @tag("list")
    @task(2)
    def by_size(self) -> None:
        self._look("/files?sort=-size&status=stored&limit=200")

    @tag("list")
    @task(2)
    def page_by_page(self) -> None:
        cursor, seen = "", set[str]()
        while cursor is not None:
            answer = self.call("GET", "/files?limit=2" + (f"&cursor={cursor}" if cursor else ""))
            if answer is None:
                return
            seen |= {file["fileId"] for file in answer[1]["files"]}
            cursor = answer[1]["nextCursor"]
        self._check(seen)

    @tag("list")
    @task(2)
    def one_file(self) -> None:
        if self.stored:
            self.call("GET", f"/files/{random.choice(list(self.stored))}")

    @tag("list")
    @task(1)
    def who_am_i(self) -> None:
        self.call("GET", "/me")

    @tag("list", "upload")
    @task(1)
    def one_more(self) -> None:
        if len(self.stored) < 40:
            self.send()

    def _look(self, path: str) -> None:
        answer = self.call("GET", path)
        if answer:
            self._check({file["fileId"] for file in answer[1]["files"]})

    def _check(self, seen: set[str]) -> None:
        """Whether a list shows all that is stored, and nothing of others."""
        missing, foreign = self.stored.keys() - seen, seen - self.asked
        wrong = f"{len(missing)} missing, {len(foreign)} foreign" if missing or foreign else None
        self.fire("list is right", 0.0, error=wrong, kind="CHECK")


class Sharer(RestUser):
    """Gives links to its files, follows them as a stranger, and ends them."""

    weight = 10
    think = (1.0, 5.0)

    def on_start(self) -> None:
        super().on_start()
        self.send()

    @tag("share")
    @task
    def share(self) -> None:
        if not self.stored:
            self.send()
            return
        own_id, body = random.choice(list(self.stored.items()))
        made = self.call("POST", f"/files/{own_id}/shares", (201,), json={"expiresInSeconds": 3600})
        if made is None:
            return
        link = f"/s/{made[1]['shareId']}"
        found = self.call("GET", link, (302,), token="")
        if found:
            self._download(found[2]["location"], body)
        if self.call("DELETE", f"/shares/{made[1]['shareId']}", (204,)):
            self.call("GET", link, (404,), token="")

    @tag("share", "upload")
    @task
    def one_more(self) -> None:
        if len(self.stored) < 20:
            self.send()

    def _download(self, url: str, body: bytes) -> None:
        with self.client.get(url, name="GET by link", catch_response=True) as answer:
            if answer.status_code == 200 and answer.content == body:
                answer.success()
            else:
                answer.failure(f"{answer.status_code}, {len(answer.content or b'')} bytes")
