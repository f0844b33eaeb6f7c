"""Peers of a gateway: bare ones, and how many it holds.

A gateway's other descriptors come and go by themselves: its pool of connections to Redis grows to
50 with what happens at once, and keeps them.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from urllib.parse import urlsplit

import psutil
import redis

PATIENCE_SECONDS = 60


def held(process: psutil.Process, port: int) -> int:
    """How many of *process* and its children that came in at *port*, those half closed too."""
    family = [process, *process.children(recursive=True)]
    found = [each for one in family for each in one.net_connections("tcp")]
    return sum(1 for each in found if each.raddr and each.laddr and each.laddr.port == port)


def say_to_all(log: redis.Redis, user_id: str, number: int) -> None:
    """30 KB to every socket of the user, as a worker would publish it, but not kept."""
    event = {"event": "test.said", "number": number, "text": "x" * 30_000}
    log.publish(f"hoist:{{{user_id}}}:events", f"0-0 - {json.dumps(event)}")


def bare(url: str, token: str) -> socket.socket:
    """An upgraded WebSocket that nobody serves: it reads and answers what its owner makes it.

    It has the smallest receive buffer the kernel allows.
    """
    parts = urlsplit(url)
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(PATIENCE_SECONDS)
    peer.connect((parts.hostname, parts.port))
    peer.sendall(handshake(parts.netloc, token))
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(1) or _fail(head)
    if not head.startswith(b"HTTP/1.1 101 "):
        _fail(head)
    return peer


def handshake(host: str, token: str, **headers: str | None) -> bytes:
    """An upgrade's bytes; a header of None is left out."""
    wanted = {
        "Host": host,
        "Authorization": f"Bearer {token}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}\r\n" for name, value in wanted.items() if value is not None]
    return "GET /ws HTTP/1.1\r\n{}\r\n".format("".join(lines)).encode("latin-1")


def _fail(head: bytes) -> bytes:
    raise ConnectionError(f"no upgrade: {head!r}")
