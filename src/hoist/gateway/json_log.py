"""gunicorn's own messages, on the same JSON lines as ours."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger


class JsonLog(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        self.error_log.setLevel(logging.WARNING)
        self.error_log.propagate = True
