"""What the model says, as tables in Markdown. Rounded to what the inputs are worth."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from types import ModuleType

from bench.capacity.figures import figures
from bench.capacity.limits import limits
from bench.capacity.model import DAY, MONTH_DAYS, Needs, files_per_user, hot_user, needs
from bench.capacity.money import MILLION, month

SIZES = (10_000, 1_000_000, 100_000_000)
ROWS: dict[str, Callable[[Needs], str]] = {
    "uploads a second, mean": lambda n: about(n.rates.day / DAY),
    "uploads a second, peak": lambda n: about(n.rates.uploads),
    "sockets open, peak": lambda n: about(n.rates.sockets),
    "new sockets a second": lambda n: about(n.rates.connects),
    "frames in and replies, a second": lambda n: about(n.rates.frames),
    "pushes through `@connections`, a second": lambda n: about(n.rates.pushes),
    "pages and downloads asked for, a second": lambda n: about(n.rates.lists + n.rates.downloads),
    "partitions: basic lane": lambda n: f"{n.lanes[0]}",
    "partitions: premium lane": lambda n: f"{n.lanes[1]}",
    "partitions: hoist.metadata": lambda n: f"{n.metadata}",
    "Kafka bytes a second, before copies": lambda n: bytes_of(n.kafka_bytes),
    "hoist.metadata a year, three copies": lambda n: bytes_of(n.log_bytes_year),
    "MSK brokers (kafka.m7g.large)": lambda n: f"{n.brokers}",
    "event pollers": lambda n: f"{n.pollers}",
    "functions at once": lambda n: about(n.concurrency),
    "DynamoDB WCU a second": lambda n: about(n.wcu),
    "DynamoDB RCU a second": lambda n: about(n.rcu),
    "WCU a second of each key of `due`": lambda n: about(n.due_wcu),
    "Redis commands a second": lambda n: about(n.redis_ops),
    "Redis memory": lambda n: bytes_of(n.redis_bytes),
    "Redis primaries (cache.r7g.xlarge)": lambda n: f"{n.caches}",
    "S3 PUTs a second of each prefix": lambda n: about(n.s3_puts),
    "abandoned uploads a second, mean": lambda n: about(n.abandoned),
}


def about(number: float) -> str:
    """To two figures; the inputs know no more."""
    if number == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(number)))
    return f"{round(number, digits):,.{max(0, digits)}f}"


def people_of(users: float) -> str:
    for unit, size in ((" billion", 1e9), (" million", 1e6)):
        if users >= size:
            return about(users / size).removesuffix(".0") + unit
    return about(users)


def bytes_of(number: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if number >= size:
            return f"{about(number / size)} {unit}"
    return f"{about(number)} B"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def needed(sizes: Sequence[int]) -> str:
    found = [needs(users) for users in sizes]
    rows = [[name, *(tell(one) for one in found)] for name, tell in ROWS.items()]
    return table(["users", *map(people_of, sizes)], rows)


def paid(sizes: Sequence[int]) -> str:
    """Dollars per million uploads."""
    months = [month(users) for users in sizes]
    millions = [needs(users).rates.day * MONTH_DAYS / MILLION for users in sizes]
    rows = [
        [name, *(about(one[name] / count) for one, count in zip(months, millions, strict=True))]
        for name in months[0]
    ]
    sums = [sum(one.values()) for one in months]
    totals = zip(sums, millions, strict=True)
    rows.append(["**all**", *(f"**{about(total / count)}**" for total, count in totals)])
    rows.append(["all, a month", *map(about, sums)])
    return table(["$ per million uploads", *map(people_of, sizes)], rows)


def broken(sizes: Sequence[int]) -> str:
    found = [needs(users) for users in sizes]
    rows = [
        [limit.name, limit.kind, people_of(limit.users), limit.cure]
        + [f"{about(100 * limit.use(one) / limit.most)} %" for one in found]
        for limit in limits()
    ]
    head = ["what breaks", "limit", "reached by", "then", *map(people_of, sizes)]
    return table(head, rows)


def one_user() -> str:
    """What a single user can reach, however many there are."""
    tiers = json.loads((resources.files("hoist") / "tiers.json").read_text())
    rows = [["uploads a second before its rows are throttled", about(hot_user())]]
    rows += [
        [f"uploads a second that the {name} tier allows", about(tier["requestsPerMinute"] / 60)]
        for name, tier in tiers.items()
    ]
    rows.append(["files before its rows and local indexes are full", people_of(files_per_user())])
    return table(["one user", "at most"], rows)


def inputs(module: ModuleType) -> str:
    rows = [
        [f"`{name}`", f"{float(figure):,.10g}", figure.unit, figure.source]
        for name, figure in figures(module).items()
    ]
    return table(["figure", "value", "unit", "source"], rows)
