"""Where long computations go, so that a gateway's other requests go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gevent import get_hub
from gevent.monkey import is_module_patched

P = ParamSpec("P")
T = TypeVar("T")


def aside(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What *function* gives: from a real thread in a process of greenlets, else from here."""
    if not is_module_patched("threading"):
        return function(*args, **kwargs)
    answer: T = get_hub().threadpool.apply(function, args, kwargs)
    return answer
