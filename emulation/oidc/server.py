"""Serving the issuer: threads, no banner, and a clean end on SIGTERM or SIGINT."""

from __future__ import annotations

import json
import signal
from threading import Thread
from types import FrameType

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from emulation.oidc.access_log import log


class _QuietHandler(WSGIRequestHandler):
    """The application logs its requests itself, without their query strings."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def serve(app: Flask, host: str, port: int) -> None:
    """Answer requests until a signal asks to stop."""
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)

    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown waits for serve_forever, which this very thread is running.
        Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info(json.dumps({"event": "listening", "url": f"http://{host}:{server.port}/"}))
    server.serve_forever()
    server.server_close()
    log.info(json.dumps({"event": "stopped"}))
