"""One upload through every step, on the engines of a running stack, with all it costs counted.

It has a table, a Redis database and a log of its own; no worker of the stack sees it.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import redis

from bench.capacity import units
from bench.capacity.counted import KeptLog, Metered, redis_commands
from emulation import provision
from hoist import telemetry
from hoist.adapters.dynamodb import DynamoMetadata
from hoist.config import Settings
from hoist.domain.frames import FileDescription, UploadRequest
from hoist.domain.listing import NEWEST_FIRST
from hoist.domain.messages import (
    GROUPS,
    METADATA_GROUP,
    METADATA_TOPIC,
    envelope_from_json,
    ingest_topic,
)
from hoist.domain.metadata import metadata_event_from_json
from hoist.domain.model import (
    FileFacts,
    FileRecord,
    Principal,
    Status,
    StoredObject,
    file_id,
    s3_key,
)
from hoist.domain.volatile import Connection
from hoist.pipeline.completion import ArrivedObject
from hoist.pipeline.ingest import Accepted, Asked
from hoist.wiring import Services

DATABASE = 9  # of Redis; the stack has 0
SIZE, PAGE = 5_000_000, 50
BUCKET_BATCH = 10  # messages that SQS gives a function at once


@dataclass(frozen=True)
class Cost:
    """Of some work: units of DynamoDB by table or index, commands, bytes of each record."""

    wcu: Counter[str]
    rcu: float
    redis: Counter[str]
    records: Sequence[int]
    s3: Counter[str]


class Measure:
    """Raises ``Unavailable`` when an engine is away. ``close`` removes what it made."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.table = f"capacity-{secrets.token_hex(4)}"
        url = environment["HOIST_REDIS_URL"].rpartition("/")[0] + f"/{DATABASE}"
        ours = {name: value for name, value in environment.items() if name.startswith("HOIST_")}
        ours |= {"HOIST_STORE": f"dynamodb://{self.table}", "HOIST_REDIS_URL": url}
        self._dynamodb = provision.client("dynamodb", environment)
        provision.create_table(environment, self.table)
        self.services = Services(Settings.from_env(ours))
        self.log, self.s3 = KeptLog(), Counter[str]()
        self.services.log = self.log  # type: ignore[assignment]
        store = self.services.store
        assert isinstance(store, DynamoMetadata)
        self.bill = Metered(store._client, store._call)
        store._client = self.bill
        store._call = self.bill  # type: ignore[assignment]
        self.services._s3.meta.events.register(
            "before-call.s3", lambda model, **_: self.s3.update([model.name])
        )
        self.redis = redis.Redis.from_url(url)
        self.redis.flushdb()
        self.upload([_somebody()])  # loads scripts, opens connections

    def close(self) -> None:
        self.redis.flushdb()
        self.redis.close()
        self._dynamodb.delete_table(TableName=self.table)
        self._dynamodb.close()

    def cost(self, uploads: int) -> Cost:
        """Of *uploads* at once, each by another user, who uploaded once before."""
        users = [_somebody() for _ in range(uploads)]
        self.upload(users)
        return self._counted(lambda: self.upload(users))

    def hot(self, uploads: int) -> Cost:
        """The same, but all by one user."""
        user = _somebody()
        self.upload([user])
        return self._counted(lambda: self.upload([user] * uploads))

    def _counted(self, work: Callable[[], object]) -> Cost:
        self.bill.clear()
        self.s3.clear()
        before = len(self.log.sizes)
        with redis_commands(self.redis, DATABASE) as commands:
            work()
        sizes = self.log.sizes[before:]
        return Cost(Counter(self.bill.wcu), self.bill.rcu, commands, sizes, Counter(self.s3))

    def upload(self, users: Sequence[Principal]) -> None:
        """One file of each user, from the request to the row that says it is stored."""
        services, asked = self.services, []
        for user in users:
            file = FileDescription(name="holiday.jpg", size=SIZE, content_type="image/jpeg")
            request = UploadRequest(message_id=secrets.token_hex(16), file=file)
            [accepted] = services.ingest(user, [Asked(request, telemetry.new_trace())], "c" * 16)
            assert isinstance(accepted, Accepted), accepted
            asked.append(accepted.file_id)
        upload = services.delivery(GROUPS["basic"])
        again = upload.run(
            self.log.new(ingest_topic("basic")), envelope_from_json, services.grant_uploads
        )
        assert not again, again
        self._apply()
        now = services.clock()
        for first in range(0, len(asked), BUCKET_BATCH):
            arrived = [
                ArrivedObject(s3_key(name), SIZE, secrets.token_hex(16), now)
                for name in asked[first : first + BUCKET_BATCH]
            ]
            assert not services.complete_uploads(arrived)
        self._apply()

    def _apply(self) -> None:
        metadata = self.services.delivery(METADATA_GROUP)
        records = self.log.new(METADATA_TOPIC)
        again = metadata.run(records, metadata_event_from_json, self.services.apply_metadata)
        assert not again, again

    def page(self) -> tuple[Cost, Cost]:
        """A full first page that the cache does not have, then one that it has."""
        self._looks(_somebody())()  # loads the script
        look = self._looks(_somebody())
        return self._counted(look), self._counted(look)

    def _looks(self, user: Principal) -> Callable[[], None]:
        rows = [(_file(user.user_id, number),) for number in range(PAGE + 10)]
        assert all(self.services.store.write(rows))

        def look() -> None:
            page = self.services.files.list(user.user_id, NEWEST_FIRST, PAGE, None)
            assert len(page["files"]) == PAGE

        return look

    def memory(self) -> dict[str, float]:
        """Bytes that Redis keeps: of a user who uploads, of each more upload, of a socket."""
        user, uploads = _somebody(), 20
        self.redis.flushdb()
        self.upload([user])
        first = self._memory()
        for _ in range(uploads):
            self.upload([user])
        each = (self._memory() - first) / uploads
        self.redis.flushdb()
        one = Connection("c" * 16, user.user_id, "http://10.0.0.1:4500", self.services.clock())
        self.services.connections.add(one)
        return {"user": first - each, "upload": each, "socket": self._memory()}

    def _memory(self) -> int:
        keys = list(self.redis.scan_iter(count=1000))
        return sum(self.redis.memory_usage(key, samples=0) or 0 for key in keys)

    def stored(self) -> tuple[int, int]:
        """Bytes of one uploaded file: paid for, and of its user's 10 GB."""
        files = [item for item in self.bill.kept.values() if "createdSort" in item]
        return units.stored(files[0])


def _somebody() -> Principal:
    return Principal(f"auth0|{secrets.token_hex(12)}", "basic", ("basic",), 4_000_000_000)


def _file(user_id: str, number: int) -> FileRecord:
    now = 1_800_000_000_000 + number
    return FileRecord(
        user_id=user_id,
        file_id=file_id(user_id, f"m-{number}"),
        message_id=secrets.token_hex(16),
        file=FileFacts(f"holiday {number}.jpg", SIZE, "image/jpeg"),
        status=Status.STORED,
        created_at_ms=now,
        settle_after_ms=now,
        stored=StoredObject(SIZE, secrets.token_hex(16), now),
        version=1,
    )
