"""The lab: a stack that may be broken, and the tools to break it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emulation import provision
from emulation.native.services import GATEWAYS, WORKERS
from emulation.native.stack import Stack
from hoist.adapters import kafka
from hoist.config import Settings
from hoist.domain.errors import Unavailable
from hoist.domain.messages import ingest_topic
from hoist.wiring import Services
from loadtest import truth
from loadtest.people import User, newcomer

OURS = (*GATEWAYS, *WORKERS)
PEOPLE = (("ada", "basic"), ("grace", "premium"))
# Uploads are settled soon, so that the last word on each can be waited for.
LIFE = {"urlExpiresSeconds": 20, "concurrentUploads": 1000, "requestsPerMinute": 60_000}
PREMIUM = {"multipartThreshold": 5 * 1024**2}
BACK_SECONDS_MAX, TIERS_SECONDS = 60.0, 2.0
OVERRIDES = {"HOIST_GRACE_SECONDS": "5", "HOIST_JANITOR_SECONDS": "2"}


class Lab:
    """Its own eyes, ``services`` and ``direct``, are hit by no fault."""

    def __init__(self, stack: Stack, seed: str, *, is_long: bool, quiet_seconds: float) -> None:
        self.stack, self.seed, self.is_long = stack, seed, is_long
        self.quiet_seconds = quiet_seconds
        self.settings, self.direct = stack.settings(), stack.direct()
        self.faults = stack.faults()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HOIST_")}
        os.environ.update({k: v for k, v in self.direct.items() if k.startswith("AWS_")})
        self.services = self.new_services()
        self.urls = self.settings["HOIST_URL"].split(",")
        # Small enough that some are over it before a run ends, but not long before.
        basic = {"storageQuota": self.size(150_000, 5_000_000)}
        self._write_tiers(basic=LIFE | basic, premium=LIFE | PREMIUM)

    def new_services(self) -> Services:
        return Services(Settings.from_env(self.direct))

    def close(self) -> None:
        self.services.close()
        self.faults.close()

    def size(self, quick: int, long: int) -> int:
        """How many, or how long: *quick* in the short set, *long* in the long one."""
        return long if self.is_long else quick

    def user(self, who: str, tier: str) -> User:
        """Somebody nobody has seen."""
        return newcomer(self.direct["HOIST_ISSUER"], tier, who)

    def users(self, count: int = 6) -> list[User]:
        return [self.user(*PEOPLE[number % 2]) for number in range(count)]

    # Processes

    def pid(self, service: str) -> int | None:
        """None while it is being started again."""
        pids = {row["name"]: row["pid"] for row in self.stack.status()}
        return int(pids[service]) if pids.get(service) else None

    def signal(self, service: str, number: signal.Signals) -> bool:
        """To the process; False when there is none just now."""
        pid = self.pid(service)
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, number)
                return True
        return False

    def kill(self, service: str) -> bool:
        return self.signal(service, signal.SIGKILL)

    def kill_and_wait(self, service: str) -> None:
        """Until the next process of this name is ready."""
        before = self.pid(service)
        self.kill(service)
        truth.wait_until(
            lambda: self.pid(service) not in (before, None) and self.is_ready(service),
            BACK_SECONDS_MAX,
        )

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:
        """SIGSTOP: it looks dead, then it wakes."""
        pid = self.pid(service)
        self.signal(service, signal.SIGSTOP)
        try:
            yield
        finally:
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def is_ready(self, service: str) -> bool:
        return any(
            row["name"] == service and row["state"] == "ready" for row in self.stack.status()
        )

    def down(self) -> list[str]:
        return [row["name"] for row in self.stack.status() if row["state"] != "ready"]

    def restarts(self) -> dict[str, int]:
        return {row["name"]: row["restarts"] for row in self.stack.status()}

    # What others see and say

    def behind(self, *, retries: bool = False) -> int | None:
        """How many records wait for our consumers; None while nobody can tell."""
        try:
            return truth.behind(self.services, retries=retries)
        except Unavailable:
            return None

    def poison(self, lane: str) -> None:
        """A record that nobody can read, on a lane."""
        producer = kafka.producer(self.direct["HOIST_KAFKA_BOOTSTRAP"])
        producer.send(ingest_topic(lane), key=b"nobody", value=b"poison").get(timeout=30)
        producer.close()

    def retried(self) -> int:
        """How many records ever went to a topic of retries."""
        partitions = self.services.measure_lag().partitions
        return sum(one.end for one in partitions if truth.RETRIES in one.topic)

    @contextmanager
    def no_bucket_events(self) -> Iterator[None]:
        """The bucket tells nobody what arrives."""
        s3, bucket = provision.client("s3", self.direct), self.direct["HOIST_BUCKET"]
        told = s3.get_bucket_notification_configuration(Bucket=bucket)
        told.pop("ResponseMetadata")
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        try:
            yield
        finally:
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)

    @contextmanager
    def tiers(self, **changes: Mapping[str, Any]) -> Iterator[None]:
        """Other limits for a while."""
        before = json.loads(Path(self.direct["HOIST_TIERS_FILE"]).read_text())
        self._write_tiers(**changes)
        try:
            yield
        finally:
            self._write_tiers(**before)

    def _write_tiers(self, **changes: Mapping[str, Any]) -> None:
        """Returns once every process knows: each looks at the file once a second."""
        path = Path(self.direct["HOIST_TIERS_FILE"])
        tiers = json.loads(path.read_text())
        for name, members in changes.items():
            tiers[name] |= members
        path.with_suffix(".new").write_text(json.dumps(tiers))
        path.with_suffix(".new").replace(path)
        time.sleep(TIERS_SECONDS)
