"""A batch tried as one, and halved until each record that fails stands alone.

Records are tried in order, and nothing after the first that waits for a dependency: so what is
delivered again is, in each partition, all that comes after a point.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hoist.domain.errors import Unavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")
SLOW_SECONDS = 1.0  # a failure after so long is no answer but a time limit: it costs that again


@dataclass
class Attempt(Generic[T]):
    """``failures`` stand alone, in order; ``waiting`` were not done because of ``outage``."""

    step: Callable[[Sequence[T]], None]
    is_up: Callable[[], bool]
    failures: list[tuple[T, Exception]] = field(default_factory=list)
    waiting: list[T] = field(default_factory=list)
    outage: Exception | None = None
    done: int = 0

    def run(self, items: Sequence[T]) -> None:
        if self.outage is not None:
            self.waiting += items
        elif items:
            began = time.monotonic()
            error = self._error(items)
            self._judge(items, error, is_slow=time.monotonic() - began > SLOW_SECONDS)

    def _error(self, items: Sequence[T]) -> Exception | None:
        try:
            self.step(items)
        except Exception as error:
            return error
        return None

    def _judge(self, items: Sequence[T], error: Exception | None, *, is_slow: bool) -> None:
        if error is None:
            self.done += len(items)
        elif not self.is_up():
            self.outage = error
            self.waiting += items
        elif len(items) == 1:
            self.failures.append((items[0], error))
        else:
            size = 1 if is_slow else (len(items) + 1) // 2
            for first in range(0, len(items), size):
                self.run(items[first : first + size])

    @property
    def is_all_alike(self) -> bool:
        """Whether several failed, none was done, and none of them by a bug."""
        causes = [error for _, error in self.failures]
        return (
            len(causes) > 1
            and not self.done
            and all(isinstance(error, Unavailable) for error in causes)
        )
