"""Racers: many requests with one messageId at the same instant, over both ways, at all gateways.

Some bring another file. One file must win, and all who brought it hear of the same upload; the
others hear of a conflict.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 60
PREFER_SECONDS = 25
BODIES = {"most.txt": b"what most bring", "other.txt": b"something else"}
OTHER_EVERY = 5  # of the racers bring the other file
CONFLICT = "message_id_conflict"
# Nothing was heard, or "not now".
NO_VERDICT = ("lost", "busy", "unavailable", "slow_down")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one racer heard: ``key`` of a grant, or ``code`` of a refusal; ``lost``: nothing."""

    way: str  # socket | rest
    gateway: str
    name: str  # of the file it brought
    file_id: str = ""
    key: str = ""
    code: str = ""
    upload: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Round:
    """All answers to one messageId."""

    message_id: str
    answers: tuple[Answer, ...]

    @property
    def grants(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.key]

    def wrong(self) -> list[str]:
        """What must not be; racers who heard no verdict prove nothing."""
        winners = {answer.name for answer in self.grants}
        found = {(answer.file_id, answer.key) for answer in self.grants}
        told = []
        is_unknown = not winners and any(answer.code in NO_VERDICT for answer in self.answers)
        if len(winners) != 1 and not is_unknown:
            told.append(f"{self.message_id}: {sorted(winners)} won")
        if len(found) > 1:
            told.append(f"{self.message_id}: one upload has several places: {sorted(found)}")
        for answer in self.answers:
            expected = "" if answer.name in winners else CONFLICT
            is_right = answer.code in NO_VERDICT or (
                answer.code == expected and bool(answer.key) != bool(expected)
            )
            if not is_right:
                told.append(f"{self.message_id}: {answer} instead of {expected or 'a grant'}")
        return told


def race(urls: Sequence[str], token: str, rounds: int, racers: int = 64) -> Iterator[Round]:
    """*rounds* of *racers* each, for the user of *token*, on the gateways at *urls*.

    After each round the winner's bytes are sent and stored, so that no upload stays open. Raises
    ``TimeoutError`` when they are not stored within a minute.
    """
    lanes = [_Lane(url, token, number % 2 == 0) for number, url in _spread(urls, racers)]
    try:
        with ThreadPoolExecutor(racers) as pool:
            for _ in range(rounds):
                start = threading.Barrier(racers)
                message_id = "r-" + secrets.token_hex(8)

                def run(number: int, message_id: str = message_id, start: Any = start) -> Answer:
                    name = "other.txt" if number % OTHER_EVERY == 0 else "most.txt"
                    return lanes[number].ask(message_id, name, start)

                result = Round(message_id, tuple(pool.map(run, range(racers))))
                _store(urls[0], token, result)
                yield result
    finally:
        for lane in lanes:
            lane.close()


def _spread(urls: Sequence[str], racers: int) -> Iterator[tuple[int, str]]:
    """Each racer's number and gateway: both ways at every gateway."""
    for number in range(racers):
        yield number, urls[number // 2 % len(urls)]


class _Lane:
    """One racer's way to a gateway; what was lost is opened again before the next round."""

    def __init__(self, url: str, token: str, is_socket: bool) -> None:
        self._url, self._is_socket = url, is_socket
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http: httpx.Client | None = None
        self._socket: ClientConnection | None = None

    def ask(self, message_id: str, name: str, start: threading.Barrier) -> Answer:
        file = {"name": name, "size": len(BODIES[name]), "contentType": "text/plain"}
        request = {"messageId": message_id, "file": file}
        is_there = self._open()
        start.wait(PATIENCE_SECONDS)
        heard: dict[str, Any] = {"error": {"code": "lost"}}
        if is_there:
            try:
                heard = self._by_socket(request) if self._is_socket else self._by_rest(request)
            except (OSError, httpx.HTTPError, WebSocketException):
                self.close()
        upload = heard.get("upload") or {}
        return Answer(
            way="socket" if self._is_socket else "rest",
            gateway=self._url,
            name=name,
            file_id=heard.get("fileId", ""),
            key=urlsplit(upload.get("url", "")).path,
            code=heard.get("error", {}).get("code", ""),
            upload=upload,
        )

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        if self._http:
            self._http.close()
        self._socket = self._http = None

    def _open(self) -> bool:
        try:
            if self._is_socket and self._socket is None:
                self._socket = connect(
                    self._url.replace("http", "ws", 1) + "/ws",
                    additional_headers=self._headers,
                    compression=None,
                    open_timeout=PATIENCE_SECONDS,
                    legacy=True,
                )
            elif not self._is_socket and self._http is None:
                self._http = httpx.Client(
                    base_url=self._url, headers=self._headers, timeout=PATIENCE_SECONDS
                )
                self._http.get("/healthz")  # connected before the start
        except (OSError, httpx.HTTPError, WebSocketException):
            self.close()
            return False
        return True

    def _by_socket(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._socket
        self._socket.send(json.dumps({"action": "upload", **request}))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            left = max(0.0, deadline - time.monotonic())
            event: dict[str, Any] = json.loads(self._socket.recv(timeout=left))
            is_answer = event["event"] in ("upload.ready", "upload.rejected", "error")
            if is_answer and event.get("messageId") == request["messageId"]:
                return event

    def _by_rest(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._http
        prefer = {"Prefer": f"wait={PREFER_SECONDS}"}
        answer = self._http.post("/files/upload", json=request, headers=prefer)
        told: dict[str, Any] = answer.json()
        if answer.status_code == 202:
            return {"error": {"code": "lost"}}
        return told if answer.is_success else {"error": told, "fileId": told.get("fileId", "")}


def _store(url: str, token: str, result: Round) -> None:
    """Send the winner's bytes, until the upload is stored."""
    if not result.grants:
        return
    winner = result.grants[0]
    request, deadline = winner.upload, time.monotonic() + PATIENCE_SECONDS
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(timeout=PATIENCE_SECONDS) as client:
        client.request(
            request["method"],
            request["url"],
            headers=request["headers"],
            content=BODIES[winner.name],
        ).raise_for_status()
        while True:
            told = client.get(f"{url}/uploads/{winner.file_id}", headers=headers)
            if told.is_success and told.json()["state"] == "stored":
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{result.message_id} is not stored: {told.text}")
            time.sleep(0.02)
