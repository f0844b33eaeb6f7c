"""What breaks first: each limit, and how many users reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.capacity import aws, people
from bench.capacity.model import (
    FULL_MAX,
    PARTITIONS_MIN,
    Needs,
    grant_ms,
    janitor_per_second,
    metadata_ms,
    needs,
)

ONE = 100e6  # users, enough for no minimum to matter


@dataclass(frozen=True)
class Limit:
    name: str
    most: float
    use: Callable[[Needs], float]  # grows with the users, in proportion
    kind: str  # soft: AWS raises it when asked; hard: it does not; ours: of this design
    cure: str

    @property
    def users(self) -> float:
        """How many reach it, at the peak."""
        return ONE * self.most / self.use(needs(ONE))


def limits() -> list[Limit]:
    """The first to be reached first."""
    batch = aws.LAMBDA_BATCH
    lane = PARTITIONS_MIN * batch / grant_ms(batch) * 1000
    metadata = PARTITIONS_MIN * batch / metadata_ms(batch) * 1000
    basic = 1 - people.PREMIUM_SHARE
    found = [
        Limit("four partitions of the basic lane", lane, lambda n: n.rates.uploads * basic, "ours",
              "more partitions, once it is empty: keys move"),
        Limit("four partitions of hoist.metadata", metadata, lambda n: n.rates.uploads * 2, "ours",
              "more partitions, once it is read: keys move"),
        Limit("the janitor's 100 a tick", janitor_per_second(), lambda n: n.abandoned, "ours",
              "run it in a loop, or one for each shard of `due`"),
        Limit("new sockets a second", aws.CONNECTS_PER_SECOND, lambda n: n.rates.connects, "soft",
              "ask; or gateways of our own"),
        Limit("requests a second of the account", aws.GATEWAY_PER_SECOND,
              lambda n: n.rates.front, "soft", "ask; several accounts"),
        Limit("functions at once", aws.LAMBDA_CONCURRENCY, lambda n: n.concurrency, "soft", "ask"),
        Limit("table writes", aws.TABLE_WCU, lambda n: n.wcu, "soft", "ask; warm up"),
        Limit("table reads", aws.TABLE_RCU, lambda n: n.rcu, "soft", "ask; warm up"),
        Limit("16 keys of the index `due`", aws.KEY_WCU, lambda n: n.due_wcu, "ours",
              "more shards, or only hours in it"),
        Limit("commands a second of one Redis", aws.CACHE_OPS, lambda n: n.redis_ops, "ours",
              "cluster mode"),
        # A function at work holds one connection to Redis, and one to each broker.
        Limit("connections to a broker", aws.BROKER_CONNECTIONS, lambda n: n.concurrency, "hard",
              "fewer functions: gateways of our own"),
        Limit("connections to a Redis", aws.CACHE_CONNECTIONS, lambda n: n.concurrency, "hard",
              "the same; cluster mode"),
        Limit("memory of the largest Redis", aws.CACHE_BYTES_LARGEST * FULL_MAX,
              lambda n: n.redis_bytes, "ours", "cluster mode"),
        Limit("PUTs of one of 256 prefixes", aws.PREFIX_PUTS, lambda n: n.s3_puts, "hard",
              "a longer prefix"),
    ]  # fmt: skip
    return sorted(found, key=lambda limit: limit.users)
