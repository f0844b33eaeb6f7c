"""How to ask for an upload, over REST and over a socket; written from docs/protocol.md."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from loadtest.ledger import ANSWERS, Ledger, Request, as_answer
from loadtest.people import User

ANSWER_SECONDS = 10
AWAY = (httpx.TransportError, WebSocketException, OSError, EOFError)
Answer = dict[str, Any]
"""What was said of an upload; ``refused`` is the status of a no."""


class Asker:
    """One connection for each user and gateway, opened when it is needed."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.http = httpx.Client(timeout=ANSWER_SECONDS)
        self._sockets: dict[tuple[str, str], ClientConnection] = {}

    def close(self) -> None:
        self.http.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Give every socket up; the next request over one opens another."""
        for socket in self._sockets.values():
            socket.close()
        self._sockets.clear()

    def catch_up(self) -> None:
        """Hear what was told to the user meanwhile: who never reads is cut."""
        for (url, user_id), socket in list(self._sockets.items()):
            try:
                while True:
                    self.ledger.show(user_id, json.loads(socket.recv(timeout=0)))
            except TimeoutError:
                pass
            except AWAY:
                self._sockets.pop((url, user_id)).close()

    def forget(self, url: str, user: User) -> None:
        """Its socket, if there is one, is broken or to be broken."""
        if socket := self._sockets.pop((url, user.user_id), None):
            socket.close()

    # Both raise one of ``AWAY``, or ``TimeoutError``, when nothing was said.

    def over_rest(self, url: str, user: User, request: Request, size: int) -> Answer:
        file = {"name": f"{request.message_id}.bin", "size": size}
        answer = self.http.post(
            f"{url}/files/upload",
            json={"messageId": request.message_id, "file": file},
            headers=user.headers | {"Prefer": f"wait={ANSWER_SECONDS - 4}"},
        )
        body = answer.json()
        return dict(body) | ({"refused": answer.status_code} if answer.is_error else {})

    def over_socket(self, url: str, user: User, request: Request, size: int) -> Answer:
        socket = self.socket(url, user)
        file = {"name": f"{request.message_id}.bin", "size": size}
        frame = {"action": "upload", "messageId": request.message_id, "file": file}
        socket.send(json.dumps(frame))
        accepted: Answer = {}
        deadline = time.monotonic() + ANSWER_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                event = json.loads(socket.recv(timeout=left))
            except TimeoutError:
                break
            self.ledger.show(user.user_id, event)
            if event.get("messageId") != request.message_id:
                continue
            if event["event"] == "upload.accepted":
                accepted = {"fileId": event["fileId"], "state": "accepted"}
            if event["event"] in ANSWERS:
                return as_answer(event)
        if accepted:
            return accepted
        raise TimeoutError("no answer on the socket")

    def socket(self, url: str, user: User) -> ClientConnection:
        """Raises one of ``AWAY``."""
        if (url, user.user_id) not in self._sockets:
            self._sockets[url, user.user_id] = connect(
                url.replace("http", "ws", 1) + "/ws",
                additional_headers=user.headers,
                compression=None,
                open_timeout=ANSWER_SECONDS,
                close_timeout=1,
                ping_interval=None,
                max_size=None,
            )
        return self._sockets[url, user.user_id]
