"""The running stack as the benches use it: its people, its processes, and leaving it as it was."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

import psutil

from hoist import telemetry
from hoist.config import Settings
from hoist.domain.messages import GROUPS, METADATA_GROUP, METADATA_TOPIC, groups
from hoist.domain.metadata import FileCancelled, FilePurged
from hoist.domain.model import FileRecord, Status
from hoist.pipeline import events
from hoist.wiring import Services
from loadtest.people import User, newcomer

QUIET_SECONDS_MAX, BATCH = 300.0, 100


class Target:
    """*scale* makes every count smaller, for a first look; *pairs* is how often both sides run."""

    def __init__(
        self,
        environment: Mapping[str, str],
        pids: Mapping[str, int],
        *,
        pairs: int = 5,
        scale: float = 1.0,
        minutes: float = 1.0,
    ) -> None:
        self.environment, self.pairs, self.minutes = environment, pairs, minutes
        self._scale = scale
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._users: list[User] = []

    @cached_property
    def services(self) -> Services:
        ours = {name: text for name, text in self.environment.items() if name.startswith("HOIST_")}
        return Services(Settings.from_env(ours))

    @property
    def urls(self) -> list[str]:
        """All gateways'."""
        return self.environment["HOIST_URL"].split(",")

    @property
    def url(self) -> str:
        """One gateway: both sides of a ratio have as many processes."""
        return self.urls[0]

    def count(self, full: int, least: int = 1) -> int:
        return max(least, round(full * self._scale))

    def user(self, tier: str = "premium", *, uploads: bool = True) -> User:
        """Somebody nobody has seen; who *uploads* has their files deleted by ``leave``."""
        user = newcomer(self.environment["HOIST_ISSUER"], tier)
        if uploads:
            self._users.append(user)
        return user

    def users(self, count: int, tier: str = "premium", *, uploads: bool = True) -> list[User]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.user(tier, uploads=uploads), range(count)))

    def process(self, name: str) -> psutil.Process:
        """The one that does the work: gunicorn's is its worker."""
        return next(iter(self._processes[name].children()), self._processes[name])

    def cpu(self) -> dict[str, float]:
        """CPU seconds that each process of the stack has used."""
        return {name: cpu_seconds(process) for name, process in self._processes.items()}

    def settle(self) -> None:
        """Wait until nobody has anything to do: what one side left must not slow the next."""
        read = {group: list(groups()[group]) for group in (*GROUPS.values(), METADATA_GROUP)}
        watch = self.services.log_watch
        until(lambda: all(at.following >= at.end for at in watch.places(read)), "no lag")

    def empty(self) -> None:
        """Delete every file of the users made here, as their owners would, but many at a time."""
        self.settle()
        for user in self._users:
            self.delete(list(self._rows(user.user_id)))
        self.settle()

    def leave(self) -> None:
        """The same, and forget these users."""
        self.empty()
        self._users.clear()

    def _rows(self, user_id: str) -> Iterator[FileRecord]:
        store, position = self.services.store, None
        while True:
            page = store.list_by_user(user_id, limit=200, position=position)
            yield from page.records
            if (position := page.next_position) is None:
                return

    def delete(self, rows: Sequence[FileRecord]) -> None:
        """For good; ``settle`` waits for it."""
        for first in range(0, len(rows), BATCH):
            gone = [_end(row) for row in rows[first : first + BATCH]]
            trace_id = telemetry.new_trace()
            self.services.log.append(
                [events.message(METADATA_TOPIC, event, trace_id) for event in gone]
            )


def _end(row: FileRecord) -> FilePurged | FileCancelled:
    at = time.time_ns() // 1_000_000
    if row.status is Status.PENDING:
        return FileCancelled(
            user_id=row.user_id, file_id=row.file_id, message_id=row.message_id, at=at
        )
    change = secrets.token_hex(8)
    return FilePurged(user_id=row.user_id, file_id=row.file_id, change_id=change, at=at)


def cpu_seconds(process: psutil.Process) -> float:
    """Of *process* and its children."""
    family = [process, *process.children(recursive=True)]
    return sum(map(_own_cpu_seconds, family))


def _own_cpu_seconds(process: psutil.Process) -> float:
    """By the kernel's clock of a process: other counters of Linux count by hundredths."""
    if sys.platform == "linux":
        with suppress(OSError):
            # clock_getcpuclockid(3), as the kernel numbers them (linux/posix-timers.h).
            return time.clock_gettime((~process.pid << 3) | 2)
    return sum(process.cpu_times()[:2])


def until(is_so: Callable[[], bool], what: str, seconds_max: float = QUIET_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds_max
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds_max:.0f} s")
        time.sleep(0.05)
