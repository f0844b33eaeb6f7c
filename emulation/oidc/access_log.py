"""One JSON line for each request, from which nobody can log in.

Query strings, forms and headers carry codes, tokens and passwords, so none of
them is written: only the path, and the client when it is a registered one.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime

from flask import Flask, Response, g, request

from emulation.oidc.registry import CLIENTS

log = logging.getLogger("emulation.oidc")


def log_requests(app: Flask) -> None:
    """Write a line after each request of *app*."""
    app.before_request(_start)
    app.after_request(_write)


def _start() -> None:
    g.started = time.perf_counter()


def _write(response: Response) -> Response:
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": "request",
        "method": request.method,
        # A path that matched no route may hold anything.
        "path": request.path if request.endpoint else "(unknown)",
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
    }
    client_id = request.args.get("client_id")
    if client_id in CLIENTS:
        line["client_id"] = client_id
    log.info(json.dumps(line))
    return response
