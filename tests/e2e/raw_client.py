"""A client written from docs/protocol.md alone: it shares no line with hoist.client."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 60


class RawSocket:
    """One socket; every event it hears is kept until somebody asks for it."""

    def __init__(self, url: str, token: str) -> None:
        self.socket: ClientConnection = connect(
            url.replace("http", "ws", 1) + "/ws",
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            open_timeout=PATIENCE_SECONDS,
            max_size=None,
            legacy=True,
        )
        self.heard: list[dict[str, Any]] = []

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, frame: dict[str, Any] | str | bytes) -> None:
        self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    def hear(self, *names: str, file_id: str | None = None) -> dict[str, Any]:
        """The next event of one of these names (and file), heard already or still to come."""
        for kept in self.heard:
            if kept["event"] in names and file_id in (None, kept.get("fileId")):
                self.heard.remove(kept)
                return kept
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            event = json.loads(self.socket.recv(timeout=PATIENCE_SECONDS))
            if event["event"] in names and file_id in (None, event.get("fileId")):
                return dict(event)
            self.heard.append(event)
        raise TimeoutError(f"no {names} within {PATIENCE_SECONDS} s; heard {self.heard}")

    def request(self, file: dict[str, Any], message_id: str | None = None) -> dict[str, Any]:
        """Announce *file*; returns the ``upload.ready`` (or ``upload.rejected``) event."""
        message_id = message_id or new_message_id()
        self.say({"action": "upload", "messageId": message_id, "file": file})
        accepted = self.hear("upload.accepted", "error")
        assert accepted["event"] == "upload.accepted", accepted
        return self.hear("upload.ready", "upload.rejected", file_id=accepted["fileId"])


def new_message_id() -> str:
    return "m-" + secrets.token_hex(8)


def describe(name: str, body: bytes, **more: Any) -> dict[str, Any]:
    return {"name": name, "size": len(body), "contentType": "text/plain", **more}


def put(upload: dict[str, Any], body: bytes, **headers: str) -> httpx.Response:
    """Send exactly the request storage asked for, but for *headers*."""
    sent = upload["headers"] | headers
    return httpx.request(upload["method"], upload["url"], headers=sent, content=body, timeout=120)


def rest(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def poll_upload(url: str, token: str, file_id: str, state: str) -> dict[str, Any]:
    """GET /uploads/{id} until it is in *state*."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client(base_url=url, headers=rest(token), timeout=30) as client:
        while True:
            upload = client.get(f"/uploads/{file_id}").raise_for_status().json()
            if upload["state"] == state:
                return dict(upload)
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {upload} after {PATIENCE_SECONDS} s")


def list_all(url: str, token: str, limit: int = 200) -> list[dict[str, Any]]:
    """Every file of the user, page by page."""
    files: list[dict[str, Any]] = []
    cursor = None
    with httpx.Client(base_url=url, headers=rest(token), timeout=30) as client:
        while True:
            params: dict[str, Any] = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = client.get("/files", params=params).raise_for_status().json()
            files += page["files"]
            cursor = page["nextCursor"]
            if not cursor:
                return files


def sign_parts(url: str, token: str, file_id: str, numbers: list[int]) -> list[dict[str, Any]]:
    """Signed parts of an upload, over REST."""
    body = {"parts": [{"number": number} for number in numbers]}
    answer = httpx.post(
        f"{url}/uploads/{file_id}/parts", json=body, headers=rest(token), timeout=30
    )
    return list(answer.raise_for_status().json()["parts"])
