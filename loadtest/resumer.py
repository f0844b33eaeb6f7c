"""Somebody on a bad network: sockets and PUTs break off, and every upload goes on where it was."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any, ClassVar
from urllib.parse import urlsplit

from locust import tag, task

from loadtest.books import BOOKS
from loadtest.ledger import Outcome, Request
from loadtest.line import Cut
from loadtest.personas import KIB, MIB, SocketUser
from loadtest.uploads import PATIENCE_SECONDS, Failed, new_id, some_bytes

BREAKS = 0.4  # how often each thing that can break does
SIGNED_AT_ONCE = 20


class Resumer(SocketUser):
    """Repeats every request under its messageId, on another socket, until it has its answer."""

    weight = 10
    tier: ClassVar[str] = "premium"
    think = (1.0, 5.0)

    @tag("upload", "resume")
    @task(12)
    def one_put(self) -> None:
        self.attempt(lambda: self._send(random.randint(64 * KIB, MIB)))

    @tag("upload", "resume", "large")
    @task(1)
    def in_parts(self) -> None:
        """Just over the size from which the tier's files go in parts."""
        answer = self.call("GET", "/me")
        if answer:
            size = answer[1]["limits"]["multipartThreshold"] + 1
            self.attempt(lambda: self._send(size))

    def _send(self, size: int) -> None:
        with BOOKS.upload(self.person.user_id, new_id(), size) as request:
            began = time.monotonic()
            if self._breaks():
                self._ask_and_hang_up(request)
            waited, grant = self.uploads.ask(request)
            if "parts" in grant:
                waited += self._all_parts(request, grant["parts"])
            elif "upload" in grant:
                body = some_bytes(size)
                if self._breaks():
                    _break_off(grant["upload"], body)
                    self.line.drop()
                    more, grant = self._again(request)
                    waited += more
                self.uploads.put(request, grant["upload"], body)
            if self._breaks():
                self.line.drop()
            self.uploads.until_stored(request)
            name = "end to end, in parts" if "parts" in grant else "end to end, resumed"
            self.fire(name, time.monotonic() - began - waited, length=size)

    def _breaks(self) -> bool:
        return random.random() < BREAKS

    def _ask_and_hang_up(self, request: Request) -> None:
        """The answer is never heard."""
        request.attempts += 1
        request.unanswered()
        file = {"name": f"{request.message_id}.bin", "size": request.size}
        with suppress(Cut):
            self.line.send({"action": "upload", "messageId": request.message_id, "file": file})
        self.line.drop()
        self.uploads.back()

    def _again(self, request: Request) -> tuple[float, dict[str, Any]]:
        """Connect again, and ask again: the same upload with fresh signatures."""
        self.uploads.back()
        return self.uploads.ask(request)

    def _all_parts(self, request: Request, parts: dict[str, Any]) -> float:
        """Every part that storage has not, and the join; the seconds told to wait."""
        request.sent, waited = Outcome.UNKNOWN, 0.0
        has_broken = not self._breaks()
        while missing := _missing(parts):
            half = missing[: len(missing) // 2 + 1] if not has_broken else missing
            for number in half:
                self._one_part(request, parts, number)
            if has_broken:
                break
            has_broken = True
            self.line.drop()
            more, grant = self._again(request)
            waited, parts = waited + more, grant["parts"]
        [own_id] = request.answered
        self.insist("POST", f"/uploads/{own_id}/complete", (200, 202))
        request.sent = Outcome.OK  # else it is unknown: a join may go on
        return waited

    def _one_part(self, request: Request, parts: dict[str, Any], number: int) -> None:
        [own_id] = request.answered
        path, wanted = f"/uploads/{own_id}/parts", {"parts": [{"number": number}]}
        [way] = self.insist("POST", path, json=wanted)[1]["parts"]
        start = (number - 1) * parts["size"]
        body = some_bytes(min(parts["size"], request.size - start))
        if self.uploads.send_bytes("PUT part", way, body) != 200:
            raise Failed(f"part {number}")


def _missing(parts: dict[str, Any]) -> list[int]:
    there = {part["number"] for part in parts.get("stored", ())}
    return [number for number in range(1, parts["count"] + 1) if number not in there]


def _break_off(way: dict[str, Any], body: bytes) -> None:
    """Half of the bytes, and then nothing more."""
    parts = urlsplit(way["url"])
    connection = HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)
    try:
        connection.putrequest(way["method"], f"{parts.path}?{parts.query}", skip_host=False)
        for name, value in way["headers"].items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body[: len(body) // 2])
    except (OSError, HTTPException):
        pass
    finally:
        connection.close()
