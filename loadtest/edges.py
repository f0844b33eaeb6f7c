"""The gateways as a stranger finds them: sockets of one's own, and when a process began."""

from __future__ import annotations

import http.client
import random
import re
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import gevent
import websocket

SECONDS_MAX = 10.0
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.5
BEGAN = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)


def connect(urls: Sequence[str], token: str) -> websocket.WebSocket | int:
    """A socket to any of *urls*, or the status of a refusal; of 5xx and silence the next is asked.

    Raises ``OSError`` when for a minute none answered.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return websocket.create_connection(
                random.choice(urls).replace("http", "ws", 1) + "/ws",
                timeout=SECONDS_MAX,
                header=[f"Authorization: Bearer {token}"],
                suppress_origin=True,
                skip_utf8_validation=True,
            )
        except websocket.WebSocketBadStatusException as error:
            if error.status_code < 500:
                return int(error.status_code)
        except (websocket.WebSocketException, OSError):
            pass
        if time.monotonic() > deadline:
            raise OSError(f"no gateway answered for {PATIENCE_SECONDS:.0f} s")
        gevent.sleep(LOOK_SECONDS)


def is_restarted(urls: Sequence[str], since: float, patience_seconds: float = SECONDS_MAX) -> bool:
    """Whether one of the gateways is away, or began after *since*, a time of day.

    One that is told to end answers a little longer: it is looked again until patience ends.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        if any((began := _began(url)) is None or began > since for url in urls):
            return True
        if time.monotonic() >= deadline:
            return False
        gevent.sleep(LOOK_SECONDS)


def _began(url: str) -> float | None:
    """When the process at *url* did; None while none answers."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS_MAX)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        told = BEGAN.search(answer.read().decode())
        return float(told[1]) if answer.status == 200 and told else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
