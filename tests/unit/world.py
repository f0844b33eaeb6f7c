"""Every step wired to the same in-memory twins, and a pump that carries the log between them."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources

from hoist.domain.errors import Rejected
from hoist.domain.frames import FileDescription, UploadRequest
from hoist.domain.messages import envelope_from_json
from hoist.domain.metadata import metadata_event_from_json
from hoist.domain.model import Principal, StoredObject, s3_key
from hoist.domain.policy import Policy
from hoist.domain.ports import Found, Received, SignedRequest, StoredPart
from hoist.pipeline.admission import Admission
from hoist.pipeline.cancel import CancelUpload
from hoist.pipeline.change import ChangeFile
from hoist.pipeline.completion import ArrivedObject, CompleteUploads
from hoist.pipeline.cursors import Cursors
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.files import Files
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.fold import FoldMetadata
from hoist.pipeline.history import History
from hoist.pipeline.ingest import Asked, Ingest
from hoist.pipeline.janitor import Janitor
from hoist.pipeline.metadata_handler import ApplyMetadata
from hoist.pipeline.pace import Pace
from hoist.pipeline.pages import Pages
from hoist.pipeline.parts import SendParts
from hoist.pipeline.progress import TrackProgress
from hoist.pipeline.reconcile import Reconcile
from hoist.pipeline.sharing import ShareFiles
from hoist.pipeline.upload_handler import GrantUploads
from hoist.pipeline.views import Views
from tests.doubles import (
    Clock,
    MemoryAnswers,
    MemoryBoard,
    MemoryCache,
    MemoryEvents,
    MemoryLanes,
    MemoryLeases,
    MemoryLimiter,
    MemoryLog,
    MemoryMetadata,
)

TIERS = json.loads((resources.files("hoist") / "tiers.json").read_text())
ADA = Principal("ada", "basic", ("basic",), 4_000_000_000)
GRACE = Principal("grace", "premium", ("premium",), 4_000_000_000)
TRACE = "0af7651916cd43dd8448eb211c80319c"
MIB = 1024**2
LIFE_SECONDS = 900 + 30  # of a URL, and the grace


class Storage:
    """Signs names instead of requests; holds what a test puts in, in parts or whole."""

    def __init__(self, clock):
        self.clock = clock
        self.stored = {}
        self.open = {}
        self.begun = 0

    def sign_put(self, record, *, expires_seconds):
        return SignedRequest("PUT", f"put:{record.s3_key}", {}, expires_seconds)

    def sign_get(self, record, *, expires_seconds):
        return f"get:{record.s3_key}"

    def head(self, key):
        return self.stored.get(key)

    def discard(self, record):
        self.stored.pop(record.s3_key, None)

    def begin(self, record):
        self.begun += 1
        self.open[record.s3_key, f"u-{self.begun}"] = ({}, self.clock())
        return f"u-{self.begun}"

    def sign_part(self, record, number, checksum_sha256, *, expires_seconds):
        return SignedRequest("PUT", f"part:{record.s3_key}:{number}", {}, expires_seconds)

    def _open(self, record):
        return self.open.get((record.s3_key, record.multipart.upload_id), ({}, 0))[0]

    def put_part(self, record, number, size=None):
        length = record.multipart.length(number, record.file.size)
        self._open(record)[number] = StoredPart(number, size or length, f"e-{number}")

    def parts(self, record):
        return [part for _, part in sorted(self._open(record).items())]

    def join(self, record, parts):
        self.abort(record)
        size = sum(part.size for part in parts)
        self.stored[record.s3_key] = StoredObject(size, "e-1-2", self.clock())

    def abort(self, record):
        self.open.pop((record.s3_key, record.multipart.upload_id), None)

    def objects(self):
        for key, found in list(self.stored.items()):
            yield Found(key, found.stored_at_ms, found.size)

    def open_uploads(self):
        for (key, upload_id), (_, since_ms) in list(self.open.items()):
            yield Found(key, since_ms, upload_id=upload_id)

    def remove(self, found):
        self.stored.pop(found.key, None)
        self.open.pop((found.key, found.upload_id), None)


class Meanwhile:
    """Passes the time that a check waits, and what a test says happens in it."""

    def __init__(self, clock):
        self.clock, self.waits, self.then = clock, 0, lambda: None

    def __call__(self, seconds):
        self.waits += 1
        self.clock.advance(seconds=seconds)
        self.then()


class Reader:
    """The world's log; a second look goes on where the first one ended."""

    def __init__(self, world):
        self.world, self.read_to, self.meanwhile = world, 0, lambda: None

    def read(self, topic):
        records = self.world.records(topic)
        yield records[self.read_to :]
        self.read_to = len(records)
        self.meanwhile()


class World:
    def __init__(self, **tier):
        """*tier* replaces members of the basic tier."""
        tiers = {**TIERS, "basic": {**TIERS["basic"], **tier}}
        self.tiers = Policy.from_json(json.dumps(tiers))
        self.clock, self.read = Clock(), Counter()
        self.is_up = False  # whoever says Unavailable means it of everybody
        self.log, self.store, self.storage = MemoryLog(), MemoryMetadata(), Storage(self.clock)
        self.cache, self.answers, self.events = MemoryCache(), MemoryAnswers(), MemoryEvents()
        self.leases, self.board = MemoryLeases(self.clock), MemoryBoard()
        self.lanes, self.limiter = MemoryLanes(), MemoryLimiter(self.clock)
        policy, clock, storage = (lambda: self.tiers), self.clock, self.storage
        self.ingest = Ingest(self.log, self.answers, self.lanes, policy, clock)
        self.find = FindUpload(self.store, self.answers)
        self.views = Views(storage, storage, self.board, policy, clock, grace_seconds=30)
        admission = Admission(self.store, self.leases, self.limiter, policy, clock)
        self.grant = GrantUploads(
            policy=policy,
            admission=admission,
            store=self.store,
            parts=storage,
            log=self.log,
            answers=self.answers,
            events=self.events,
            views=self.views,
            pace=Pace(self.lanes, clock),
            clock=clock,
            grace_seconds=30,
        )
        self.apply = ApplyMetadata(
            FoldMetadata(self.store, policy),
            storage,
            storage,
            self.cache,
            self.leases,
            self.events,
            clock,
        )
        self.complete = CompleteUploads(
            self.answers, self.store, self.log, self.board, self.events, clock
        )
        self.send_parts = SendParts(
            self.find, storage, storage, self.views, self.leases, self.log, clock
        )
        self.track = TrackProgress(self.find, storage, self.board, self.leases, self.events, clock)
        self.cancel = CancelUpload(self.find, self.log, clock)
        self.janitor = Janitor(
            self.store, storage, self.send_parts, storage, self.log, policy, clock, 30
        )
        self.reconcile = Reconcile(
            store=self.store,
            scan=self.store,
            objects=storage,
            inventory=storage,
            log=self.log,
            open_log=lambda: Reader(self),
            policy=policy,
            clock=clock,
            grace_seconds=30,
        )
        self.history = History(self.store, self.store, self.log, clock)
        self.change = ChangeFile(
            self.store, self.log, self.cache, policy, clock, lambda _: self.applies()
        )
        self.share = ShareFiles(
            store=self.store,
            sharing=self.store,
            objects=storage,
            log=self.log,
            history=self.history,
            limiter=self.limiter,
            clock=clock,
            sleep=lambda _: self.applies(),
            aside=lambda function, *args: function(*args),
        )
        self.files = Files(
            store=self.store,
            objects=storage,
            pages=Pages(self.store, self.cache),
            cursors=Cursors("secret", clock),
            find=self.find,
            views=self.views,
            history=self.history,
            leases=self.leases,
            log=self.log,
            policy=policy,
            clock=clock,
        )

    def ask(self, message_id="m-1", name="a.txt", size=12, principal=ADA, **more):
        """Put a request on its lane; returns the file's id. Raises what ingest refuses."""
        self.clock.advance(seconds=0.001)  # no two requests are made at once
        file = FileDescription(name=name, size=size, content_type="text/plain", **more)
        request = UploadRequest(message_id=message_id, file=file)
        [outcome] = self.ingest(principal, [Asked(request, TRACE)], "c-1")
        if isinstance(outcome, Rejected):
            raise outcome
        return outcome.file_id

    def grants(self, topic="hoist.ingest.basic"):
        delivery = Delivery(self.log, "upload-basic", self.clock, lambda: self.is_up)
        return delivery.run(self.records(topic), envelope_from_json, self.grant)

    def applies(self):
        return self.apply_records(self.records("hoist.metadata"))

    def apply_records(self, records):
        delivery = Delivery(self.log, "metadata-handler", self.clock, lambda: self.is_up)
        return delivery.run(records, metadata_event_from_json, self.apply)

    def last_accepted(self, message_id):
        """The ``upload.accepted`` of a new request."""
        file = FileDescription(name="a.txt", size=12)
        request = UploadRequest(message_id=message_id, file=file)
        [accepted] = self.ingest(ADA, [Asked(request, TRACE)], "c-1")
        return accepted.event

    def records(self, topic):
        """Everything the topic ever held: each call is a redelivery of what came before."""
        return [
            Received(topic, 0, offset, m.key_bytes, m.value, tuple(m.headers))
            for offset, m in enumerate(self.log.of(topic))
        ]

    def settles(self):
        """Both handlers, with the requests that are new."""
        for topic in ("hoist.ingest.basic", "hoist.ingest.premium"):
            records = self.records(topic)
            delivery = Delivery(self.log, "upload", self.clock, lambda: self.is_up)
            again = delivery.run(records[self.read[topic] :], envelope_from_json, self.grant)
            assert not again
            self.read[topic] = len(records)
        self.applies()

    def arrives(self, this_file, size=12):
        key = s3_key(this_file)
        self.storage.stored[key] = StoredObject(size, "etag", self.clock())
        return self.complete([ArrivedObject(key, size, "etag", self.clock())])

    def stores(self, message_id, size=12, principal=ADA, **more):
        """One upload, all the way."""
        this_file = self.ask(message_id, size=size, principal=principal, **more)
        self.settles()
        self.arrives(this_file, size)
        self.applies()
        return this_file

    def look(self, user_id, this_file):
        return self.files.upload(user_id, this_file, TRACE)

    def upload(self, this_file, user_id="ada"):
        return self.look(user_id, this_file)

    def row(self, this_file, user_id="ada"):
        return self.store.records[user_id, this_file]

    def books(self, user_id="ada"):
        return self.store.accounts([user_id])[user_id]

    def heard(self, name, user="ada"):
        return [
            event for event in self.events.since(user, 0, limit=10_000) if event["event"] == name
        ]

    def codes(self, user="ada"):
        """Why uploads were refused, in order."""
        return [event["error"]["code"] for event in self.heard("upload.rejected", user)]
