"""What each process may use: every step of the pipeline, on the adapters of its settings."""

from __future__ import annotations

import os
from functools import cache, cached_property

from hoist.config import Settings
from hoist.pipeline.admission import Admission
from hoist.pipeline.cancel import CancelUpload
from hoist.pipeline.completion import CompleteUploads
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.files import Files
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.ingest import Ingest
from hoist.pipeline.janitor import Janitor
from hoist.pipeline.metadata_handler import ApplyMetadata
from hoist.pipeline.pace import Pace
from hoist.pipeline.parts import SendParts
from hoist.pipeline.progress import TrackProgress
from hoist.pipeline.reconcile import Reconcile
from hoist.pipeline.upload_handler import GrantUploads
from hoist.pipeline.views import Views
from hoist.wiring.adapters import Adapters


@cache
def services() -> Services:
    """This process's services, from its environment."""
    return Services(Settings.from_env(os.environ))


class Services(Adapters):
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
    def apply_metadata(self) -> ApplyMetadata:
        return ApplyMetadata(
            store=self.store,
            objects=self.objects,
            parts=self.parts,
            cache=self.cache,
            leases=self.leases,
            events=self.events,
            policy=self.policy,
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
            cache=self.cache,
            find=self.find,
            views=self.views,
            leases=self.leases,
            log=self.log,
            policy=self.policy,
            clock=self.clock,
            cursor_secret=self.settings.cursor_secret,
            topic_prefix=self.settings.topic_prefix,
        )

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
    def reconcile(self) -> Reconcile:
        return Reconcile(
            store=self.store,
            scan=self.store,
            objects=self.objects,
            inventory=self.parts,
            log=self.log,
            policy=self.policy,
            clock=self.clock,
            grace_seconds=self.settings.grace_seconds,
            topic_prefix=self.settings.topic_prefix,
        )

    def delivery(self, group: str) -> Delivery:
        return Delivery(self.log, group, self.clock, self.settings.topic_prefix)
