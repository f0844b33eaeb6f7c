"""The steps of the pipeline that requests and events go through, on a process's adapters."""

from __future__ import annotations

import time
from functools import cached_property

from hoist.domain.lag import Lag
from hoist.pipeline.admission import Admission
from hoist.pipeline.archive import BuildArchives
from hoist.pipeline.archive_requests import Archives
from hoist.pipeline.cancel import CancelUpload
from hoist.pipeline.change import ChangeFile
from hoist.pipeline.completion import CompleteUploads
from hoist.pipeline.cursors import Cursors
from hoist.pipeline.delayed import TellDelayed
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.files import Files
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.fold import FoldMetadata
from hoist.pipeline.history import History
from hoist.pipeline.ingest import Ingest
from hoist.pipeline.lag import metrics
from hoist.pipeline.metadata_handler import ApplyMetadata
from hoist.pipeline.pace import Pace
from hoist.pipeline.pages import Pages
from hoist.pipeline.parts import SendParts
from hoist.pipeline.progress import TrackProgress
from hoist.pipeline.sharing import ShareFiles
from hoist.pipeline.upload_handler import GrantUploads
from hoist.pipeline.views import Views
from hoist.wiring.adapters import Adapters
from hoist.wiring.threads import aside


class Steps(Adapters):
    @cached_property
    def ingest(self) -> Ingest:
        prefix = self.settings.topic_prefix
        return Ingest(self.log, self.answers, self.lanes, self.policy, self.clock, prefix)

    @cached_property
    def admission(self) -> Admission:
        return Admission(self.store, self.leases, self.limiter, self.policy, self.clock)

    @cached_property
    def grant_uploads(self) -> GrantUploads:
        return GrantUploads(
            policy=self.policy,
            admission=self.admission,
            store=self.store,
            parts=self.parts,
            log=self.log,
            answers=self.answers,
            events=self.events,
            views=self.views,
            pace=Pace(self.lanes, self.clock),
            clock=self.clock,
            grace_seconds=self.settings.grace_seconds,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def tell_delayed(self) -> TellDelayed:
        return TellDelayed(self.events, self.clock)

    @cached_property
    def apply_metadata(self) -> ApplyMetadata:
        return ApplyMetadata(
            fold=FoldMetadata(self.store, self.policy),
            objects=self.objects,
            parts=self.parts,
            cache=self.cache,
            leases=self.leases,
            events=self.events,
            clock=self.clock,
        )

    @cached_property
    def complete_uploads(self) -> CompleteUploads:
        return CompleteUploads(
            answers=self.answers,
            store=self.store,
            log=self.log,
            board=self.board,
            events=self.events,
            clock=self.clock,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def find(self) -> FindUpload:
        return FindUpload(self.store, self.answers)

    @cached_property
    def views(self) -> Views:
        return Views(
            objects=self.objects,
            parts=self.parts,
            board=self.board,
            policy=self.policy,
            clock=self.clock,
            grace_seconds=self.settings.grace_seconds,
        )

    @cached_property
    def send_parts(self) -> SendParts:
        return SendParts(
            find=self.find,
            objects=self.objects,
            parts=self.parts,
            views=self.views,
            leases=self.leases,
            log=self.log,
            clock=self.clock,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def track_progress(self) -> TrackProgress:
        return TrackProgress(
            self.find, self.parts, self.board, self.leases, self.events, self.clock
        )

    @cached_property
    def cancel_upload(self) -> CancelUpload:
        return CancelUpload(self.find, self.log, self.clock, self.settings.topic_prefix)

    @cached_property
    def files(self) -> Files:
        return Files(
            store=self.store,
            objects=self.objects,
            pages=Pages(self.store, self.cache),
            cursors=Cursors(self.settings.cursor_secret, self.clock),
            find=self.find,
            views=self.views,
            history=self.history,
            leases=self.leases,
            log=self.log,
            policy=self.policy,
            clock=self.clock,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def history(self) -> History:
        return History(self.store, self.store, self.log, self.clock, self.settings.topic_prefix)

    @cached_property
    def change_file(self) -> ChangeFile:
        return ChangeFile(
            store=self.store,
            log=self.log,
            cache=self.cache,
            policy=self.policy,
            clock=self.clock,
            sleep=time.sleep,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def share_files(self) -> ShareFiles:
        return ShareFiles(
            store=self.store,
            sharing=self.store,
            objects=self.objects,
            log=self.log,
            history=self.history,
            limiter=self.limiter,
            clock=self.clock,
            sleep=time.sleep,
            aside=aside,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def archives(self) -> Archives:
        return Archives(
            store=self.store,
            archives=self.archive_store,
            inventory=self.archive_inventory,
            limiter=self.limiter,
            log=self.log,
            clock=self.clock,
            secret=self.settings.cursor_secret,
            topic_prefix=self.settings.topic_prefix,
        )

    @cached_property
    def build_archives(self) -> BuildArchives:
        return BuildArchives(self.store, self.archive_store, self.events, self.clock)

    def keep_lag(self, lag: Lag) -> None:
        """In CloudWatch, if the settings say so. Raises ``Unavailable``."""
        if namespace := self.settings.metrics_namespace:
            self.metric_store.put(metrics(lag, namespace), self.clock())

    @cached_property
    def _deliveries(self) -> dict[str, Delivery]:
        return {}

    def delivery(self, group: str) -> Delivery:
        """The same for every batch of *group*."""
        made = Delivery(self.log, group, self.clock, self.is_up, self.settings.topic_prefix)
        return self._deliveries.setdefault(group, made)
