"""``python -m hoist.gateway``: one gateway process, on gunicorn's gevent worker."""

# ruff: noqa: E402
from gevent import monkey

monkey.patch_all()  # before anything else is imported

import logging
import os
import resource
import threading
from typing import Any

import gevent
from flask import Flask
from gunicorn.app.base import BaseApplication

from hoist import telemetry, wiring
from hoist.config import Settings
from hoist.gateway.http import create_app
from hoist.gateway.json_log import JsonLog
from hoist.gateway.patience import PatientWorker
from hoist.gateway.sessions import Sessions

logger = logging.getLogger(__name__)
# A client hears an answer within 8 s: a call is tried twice, or waits for a connection first.
PATIENCE_SECONDS = 3
sessions = Sessions()


class Worker(PatientWorker):
    """Tells open sockets to go elsewhere as soon as it is asked to stop."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        gevent.spawn(sessions.close_all)
        super().handle_exit(sig, frame)


class Gateway(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": self.settings.listen,
            "workers": 1,
            "worker_class": Worker,
            "worker_connections": 20_000,
            "backlog": 4096,
            "graceful_timeout": 5,
            "keepalive": 75,
            "limit_request_line": 8190,
            "timeout": 60,
            "logger_class": JsonLog,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """In the worker, after the fork: clients must not be carried over it."""
        services = wiring.services(PATIENCE_SECONDS)
        services.policy.watch()  # a tier file that makes no sense is told now
        threading.Thread(target=services.feed.run, args=(sessions.deliver,), daemon=True).start()
        return create_app(services, sessions)


def main() -> None:
    settings = Settings.from_env(os.environ)
    telemetry.configure_logging(settings.gateway_id, settings.log_level)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Gateway(settings).run()


if __name__ == "__main__":
    main()
