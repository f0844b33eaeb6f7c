"""How the little gateway says no."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Answered as a problem or in an event."""

    def __init__(self, code: str, status: int, **members: Any) -> None:
        super().__init__(code)
        self.error = {"code": code, "status": status, "detail": code, **members}
