"""What routes share: who calls, and what they sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import request
from pydantic import BaseModel

from hoist.domain import frames, strict_json
from hoist.domain.model import Principal

T = TypeVar("T", bound=BaseModel)
Caller = Callable[[], Principal]


def body(model: type[T], *, is_optional: bool = False) -> T:
    """The request's JSON as *model*. Raises ``Malformed`` or ``InvalidRequest``.

    With *is_optional* no body is an empty object.
    """
    raw = request.get_data()
    return frames.from_client(model, strict_json.decode(raw) if raw or not is_optional else {})
