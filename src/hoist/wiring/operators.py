"""What each process may use: the steps, and what looks after them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from tempfile import TemporaryDirectory

from hoist.config import Settings
from hoist.pipeline.dead_letters import DeadLetters
from hoist.pipeline.doctor import Doctor, Seen
from hoist.pipeline.doctor_lists import CheckLists
from hoist.pipeline.doctor_log import CheckLetters, CheckLog
from hoist.pipeline.doctor_offsets import CheckOffsets
from hoist.pipeline.doctor_storage import CheckRows, CheckStorage
from hoist.pipeline.dropped import TellDropped
from hoist.pipeline.fold import FoldMetadata
from hoist.pipeline.janitor import Janitor
from hoist.pipeline.lag import MeasureLag
from hoist.pipeline.rebuild import Rebuild
from hoist.pipeline.reconcile import UNKNOWN_SECONDS, Reconcile
from hoist.pipeline.replay import Replay
from hoist.wiring.adapters import PATIENCE_SECONDS
from hoist.wiring.steps import Steps


@cache
def services(patience_seconds: int = PATIENCE_SECONDS) -> Services:
    """This process's services, from its environment."""
    return Services(Settings.from_env(os.environ), patience_seconds)


class Services(Steps):
    @cached_property
    def janitor(self) -> Janitor:
        return Janitor(
            store=self.store,
            objects=self.objects,
            send_parts=self.send_parts,
            inventory=self.parts,
            log=self.log,
            policy=self.policy,
            clock=self.clock,
            grace_seconds=self.settings.grace_seconds,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def measure_lag(self) -> MeasureLag:
        return MeasureLag(
            self.log_watch, self.clock, self.settings.topic_prefix, self.queue_letters
        )

    @cached_property
    def reconcile(self) -> Reconcile:
        return Reconcile(
            store=self.store,
            scan=self.store,
            objects=self.objects,
            inventory=self.parts,
            log=self.log,
            open_log=self.open_log,
            policy=self.policy,
            clock=self.clock,
            grace_seconds=self.settings.grace_seconds,
            topic_prefix=self.settings.topic_prefix,
        )

    def rebuild(self, url: str) -> Rebuild:
        """Into the store at *url*. Raises ``Unavailable``."""
        target = self.new_store_at(url)
        return Rebuild(
            reader=self.open_log(),
            fold=FoldMetadata(target, self.policy, has_reservations=False),
            target=target,
            target_scan=target,
            live_scan=self.store,
            topic_prefix=self.settings.topic_prefix,
        )

    def doctor(
        self, *, is_deep: bool = False, unknown_seconds: int = UNKNOWN_SECONDS, pages: int
    ) -> Doctor:
        """Raises nothing: what is away is told by its part."""
        checks: dict[str, Callable[[], Seen]] = {
            "storage": CheckStorage(
                self.reconcile, self.settings.bucket, time.sleep, unknown_seconds
            ),
            "rows": CheckRows(self.store, self.store),
            "lists": CheckLists(self.kept_pages, self.store, self.clock, time.sleep, pages),
            "offsets": CheckOffsets(
                self.log_watch, self.clock, time.sleep, self.settings.topic_prefix
            ),
            "letters": CheckLetters(self.dead_letters),
        }
        if is_deep:
            checks["log"] = CheckLog(self._scratch)
        return Doctor(checks, self._asked_first())

    def _asked_first(self) -> Mapping[str, Sequence[Callable[[], None]]]:
        """What each part needs, of that which says soon, and by itself, that it is away."""
        log, store, objects = (self._behind_the_log()[name] for name in ("log", "store", "objects"))
        return {
            "storage": (objects, store),
            "rows": (store,),
            "lists": (store,),
            "letters": (log,),
            "log": (log, store),
        }

    @contextmanager
    def _scratch(self) -> Iterator[Rebuild]:
        """Into a SQLite file that is gone afterwards."""
        with TemporaryDirectory(prefix="hoist-doctor-") as directory:
            rebuild = self.rebuild(f"sqlite:///{directory}/rebuilt.db")
            yield rebuild

    @cached_property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(
            reader=self.topic_reader,
            log=self.log,
            tell_dropped=TellDropped(self.find, self.answers, self.events, self.clock),
            clock=self.clock,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def replay(self) -> Replay:
        return Replay(self.log, self.clock, topic_prefix=self.settings.topic_prefix)
