"""How many users there are at each moment. Each takes the users, pace and time that were chosen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import ClassVar

from locust import LoadTestShape
from locust.runners import Runner

from loadtest import options
from loadtest.crowd import CROWD

logger = logging.getLogger(__name__)
RUN_SECONDS, USERS, PER_SECOND = 120.0, 20, 5.0
AFTERWARDS_SECONDS = 10.0

Tick = tuple[int, float] | None


class Shape(LoadTestShape):
    """``share`` of the users at ``part`` of the time, both from 0 to 1."""

    abstract = True
    use_common_options: ClassVar[bool] = True

    def share(self, part: float) -> float:
        raise NotImplementedError

    def reset_time(self) -> None:
        self.start_time = time.perf_counter()

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.start_time

    def tick(self) -> Tick:
        part = self.elapsed / self.seconds
        if part >= 1:
            return None
        return max(1, round(self.users * self.share(part))), self.per_second

    @property
    def there(self) -> Runner:
        assert self.runner
        return self.runner

    @property
    def seconds(self) -> float:
        return float(options.of(self.there.environment).run_time or RUN_SECONDS)

    @property
    def users(self) -> int:
        return int(options.of(self.there.environment).num_users or USERS)

    @property
    def per_second(self) -> float:
        return float(options.of(self.there.environment).spawn_rate or PER_SECOND)


class Ramp(Shape):
    """More and more until half time, then all of them."""

    abstract = False
    parts = 10

    def share(self, part: float) -> float:
        # In ten steps: each change is a message to every process.
        return min(1.0, (int(part * 2 * self.parts) + 1) / self.parts)


class Spike(Shape):
    """Few, then all at once for a third of the time, then few again."""

    abstract = False

    def share(self, part: float) -> float:
        base: float = options.of(self.there.environment).base_share
        return 1.0 if 1 / 3 <= part < 2 / 3 else base

    @property
    def per_second(self) -> float:
        return float(self.users)


class Steps(Shape):
    """The same number more after each step."""

    abstract = False

    def share(self, part: float) -> float:
        steps = max(1, int(options.of(self.there.environment).steps))
        return (int(part * steps) + 1) / steps


class Soak(Shape):
    """All of them, all the time."""

    abstract = False

    def share(self, part: float) -> float:
        return 1.0


class ThunderingReconnect(Shape):
    """All of them; at half time a gateway restarts, every socket dies, and all come back at once.

    ``strike`` restarts it, and tells every process to drop its sockets.
    """

    abstract = False
    strike: ClassVar[Callable[[Runner], None]]

    _has_struck = False

    def reset_time(self) -> None:
        super().reset_time()
        self._has_struck = False

    def share(self, part: float) -> float:
        return 1.0

    def tick(self) -> Tick:
        if not self._has_struck and self.elapsed >= self.seconds / 2:
            self._has_struck = True
            logger.info("all sockets die")
            type(self).strike(self.there)
        return super().tick()


class CrowdHolds(Shape):
    """For ``CrowdUser``: all connect, then all upload, and all stay until the last is done."""

    abstract = False

    _done_at: float | None = None

    def reset_time(self) -> None:
        super().reset_time()
        self._done_at = None

    def share(self, part: float) -> float:
        return 1.0

    def tick(self) -> Tick:
        if CROWD.count("connected") >= self.users and CROWD.opened_at is None:
            logger.info("all %d are connected after %.0f s", self.users, self.elapsed)
            CROWD.open()
            self.there.send_message("crowd-open", None)
        if CROWD.count("done") >= self.users:
            self._done_at = self._done_at or time.monotonic()
            if time.monotonic() - self._done_at > AFTERWARDS_SECONDS:
                return None
        return super().tick()
