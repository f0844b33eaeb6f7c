"""``python -m hoist.admin``: the admin API, on gunicorn's threads.

Not a gateway: it reads topics, and Kafka's consumers do not run in a monkey-patched process.
"""

from __future__ import annotations

import os

from flask import Flask
from gunicorn.app.base import BaseApplication

from hoist import telemetry, wiring
from hoist.admin.http import create_app
from hoist.config import Settings
from hoist.gateway.json_log import JsonLog

THREADS = 8


class Admin(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": self.settings.listen,
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": 5,
            "logger_class": JsonLog,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """In the worker, after the fork: clients must not be carried over it."""
        return create_app(wiring.services())


def main() -> None:
    settings = Settings.from_env(os.environ)
    telemetry.configure_logging("admin", settings.log_level)
    Admin(settings).run()


if __name__ == "__main__":
    main()
