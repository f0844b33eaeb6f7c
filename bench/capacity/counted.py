"""What the steps ask of others, counted: a log that keeps, DynamoDB's own bill, Redis's monitor."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.capacity import units
from hoist.adapters.aws_json import JsonCalls
from hoist.domain.ports import Message, Position, Received


class KeptLog:
    """The log as a list, with one partition a topic; ``new`` gives what was not read yet."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Received]] = {}
        self.sizes: list[int] = []  # bytes of key, value and headers of each record
        self._read: Counter[str] = Counter()

    def append(self, messages: Sequence[Message]) -> list[Position]:
        return [self._append(message) for message in messages]

    def _append(self, message: Message) -> Position:
        topic = self.kept.setdefault(message.topic, [])
        headers = tuple((name, bytes(value)) for name, value in message.headers)
        received = Received(message.topic, 0, len(topic), message.key_bytes, message.value, headers)
        topic.append(received)
        self.sizes.append(_size(received))
        return Position(message.topic, 0, received.offset)

    def new(self, topic: str) -> list[Received]:
        records = self.kept.get(topic, [])[self._read[topic] :]
        self._read[topic] += len(records)
        return records


def _size(record: Received) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


class Metered:
    """Stands in for *client* and for *call*, and notes what each costs.

    ``wcu`` is by table or index; ``told`` has what single writes cost by our reckoning, and by that
    of the engine.
    """

    def __init__(self, client: Any, call: JsonCalls) -> None:
        self._client, self._call = client, call
        self.kept: dict[tuple[str, str], units.Item] = {}
        self.told: list[tuple[Counter[str], Counter[str]]] = []
        self.clear()

    def clear(self) -> None:
        self.wcu, self.rcu = Counter[str](), 0.0

    def __call__(self, operation: str, **asked: Any) -> dict[str, Any]:
        if operation == "PutItem":
            answer = self._call(operation, **asked, ReturnConsumedCapacity="INDEXES")
            ours = self._wrote(asked["Item"], is_transaction=False)
            self.told.append((ours, _engines(answer["ConsumedCapacity"])))
            return answer
        answer = self._call(operation, **asked)
        if operation == "TransactWriteItems":
            for one in asked["TransactItems"]:
                self._wrote(one["Put"]["Item"], is_transaction=True)
        elif operation == "BatchGetItem":
            [one] = asked["RequestItems"].values()
            self.rcu += sum(units.read(self.kept.get(_place(key))) for key in one["Keys"])
        return answer

    def query(self, **asked: Any) -> Any:
        answer = self._client.query(**asked, ReturnConsumedCapacity="TOTAL")
        self.rcu += answer["ConsumedCapacity"]["CapacityUnits"]
        return answer

    def _wrote(self, item: units.Item, *, is_transaction: bool) -> Counter[str]:
        place = _place(item)
        cost = units.write(self.kept.get(place), item, is_transaction=is_transaction)
        self.wcu += cost
        self.kept[place] = item
        return cost


def _place(item: units.Item) -> tuple[str, str]:
    return item["userId"]["S"], item["fileId"]["S"]


def _engines(told: dict[str, Any]) -> Counter[str]:
    """*ConsumedCapacity* by table and index."""
    found = Counter({"table": told["Table"]["CapacityUnits"]})
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        found |= {name: one["CapacityUnits"] for name, one in told.get(kind, {}).items()}
    return +found


@contextmanager
def redis_commands(client: Any, database: int) -> Iterator[Counter[str]]:
    """Commands of *database* while the block runs, by name; those of scripts as ``lua NAME``."""
    counted: Counter[str] = Counter()
    end = secrets.token_hex(8)
    with client.monitor() as monitor:
        yield counted
        client.get(end)
        while end not in (told := monitor.next_command())["command"]:
            if str(told["db"]) == str(database):
                inner = "lua " if told["client_type"] == "lua" else ""
                counted[inner + told["command"].split()[0].upper()] += 1
