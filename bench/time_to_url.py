"""From request to URL, beside the sum of what nobody can go without.

That is a record's way through Kafka from one process to another, and a round trip over a bare
socket. The median is taken one request after another, and so are its floors; the 99th percentile at
500 a second, and so are its floors. There a request begins when it was to begin, however late it is
sent.
"""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from bench.floor import Floor, running
from bench.pairs import Side, cpu_of, measured
from bench.row import Row, percentile
from bench.target import Target
from bench.together import paced
from bench.uploading import wanted
from bench.wire import Wire

PER_SECOND, SECONDS, ALONE, CLIENTS = 500, 3, 30, 10
Times = list[float]


def run(target: Target) -> list[Row]:
    alone, crowd = target.count(ALONE, 3), target.count(PER_SECOND * SECONDS, 20)
    with running(target.environment, "echo") as bare, _through_kafka(target) as through_kafka:
        return [
            _row(target, bare, through_kafka, "url-p50", alone, 0.0, 50),
            _row(target, bare, through_kafka, "url-p99", crowd, 1 / PER_SECOND, 99),
        ]


def _row(
    target: Target,
    bare: Floor,
    through_kafka: Callable[[int, float], Times],
    name: str,
    count: int,
    gap: float,
    percent: int,
) -> Row:
    took: list[tuple[float, float, float]] = []
    sides: list[Side] = []
    for number in range(-1, target.pairs):
        users = target.users(CLIENTS)
        with ExitStack() as stack:
            ours = [stack.enter_context(Wire(target.url + "/ws", one.token)) for one in users]
            echo = [stack.enter_context(Wire(bare.url + "/ws", one.token)) for one in users]
            times, side = measured(target, count, partial(_asked, ours, count, gap))
            whole = percentile(times, percent)
            log = percentile(through_kafka(count, gap), percent)
            trip = percentile(_asked(echo, count, gap), percent)
        if number >= 0:
            took.append((whole, log, trip))
            sides.append(side)
    whole, log, trip = (statistics.median(one[each] for one in took) * 1e3 for each in range(3))
    detail = f"{whole:.1f} ms, Kafka {log:.1f}, socket {trip:.1f}; CPU ms each: {cpu_of(sides)}"
    at = f"p99 at {PER_SECOND}/s" if gap else "p50"
    what = f"{at}, request to URL / Kafka + socket"
    goal = 1.5 if gap else 1.2
    return Row(
        name, what, [one / (two + three) for one, two, three in took], goal, True, detail=detail
    )


def _asked(wires: Sequence[Wire], count: int, gap: float) -> Times:
    """Seconds to the answer to each of *count* requests, which are to begin *gap* apart.

    Without a gap each waits for the one before. Ours are answered by the second event, which names
    the messageId like an echo does.
    """
    due: dict[str, float] = {}
    times: Times = []

    def hear(wire: Wire, share: int) -> None:
        for _ in range(share):
            while (event := json.loads(wire.receive())).get("event") == "upload.accepted":
                pass
            assert event.get("event", "upload.ready") == "upload.ready", event
            times.append(time.perf_counter() - due[event["messageId"]])

    def ask(wire: Wire, at: float) -> None:
        body = {"action": "upload", **wanted()}
        due[body["messageId"]] = at
        wire.send(body)

    if not gap:
        for number in range(count):
            ask(wires[number % len(wires)], time.perf_counter())
            hear(wires[number % len(wires)], 1)
        return times
    shares = [len(range(number, count, len(wires))) for number in range(len(wires))]
    threads = [threading.Thread(target=hear, args=pair) for pair in zip(wires, shares, strict=True)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    paced(count, gap, lambda number: ask(wires[number % len(wires)], began + number * gap))
    for thread in threads:
        thread.join()
    return times


@contextmanager
def _through_kafka(target: Target) -> Iterator[Callable[[int, float], Times]]:
    """Produce here, consume in a process of its own, as our lanes do."""
    servers, topic = target.environment["HOIST_KAFKA_BOOTSTRAP"], f"bench-{secrets.token_hex(6)}"
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic(topic, 4, 1)])
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    command = (sys.executable, "-m", "bench.consume", servers, topic)
    consumer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert consumer.stdout
    told = consumer.stdout
    assert told.readline() == "ready\n"

    def send(at: float) -> None:
        producer.send(topic, key=secrets.token_bytes(8), value=str(at).encode())

    def one_by_one(count: int) -> Iterator[float]:
        for _ in range(count):
            send(time.monotonic())
            yield float(told.readline())

    def times(count: int, gap: float) -> Times:
        if not gap:
            return list(one_by_one(count))
        began = time.monotonic()
        pace = (count, gap, lambda number: send(began + number * gap))
        threading.Thread(target=paced, args=pace).start()
        return [float(told.readline()) for _ in range(count)]

    try:
        yield times
    finally:
        consumer.terminate()
        consumer.communicate()
        producer.close()
        admin.delete_topics([topic])
        admin.close()
