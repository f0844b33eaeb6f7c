"""From request to URL, beside the sum of what nobody can go without.

That is a record's way through Kafka from one process to another, and a round trip over a bare
socket. The median is taken one request after another; the 99th percentile at 500 a second, whose
floors run at 500 a second as well.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from bench.floor import running
from bench.row import Row, percentile
from bench.target import Target
from bench.together import paced
from bench.uploading import wanted
from bench.wire import Wire

PER_SECOND, SECONDS, ALONE, CLIENTS = 500, 1, 30, 10
Times = list[float]


def run(target: Target) -> list[Row]:
    alone, crowd = target.count(ALONE, 3), target.count(PER_SECOND * SECONDS, 20)
    ratios: dict[str, Times] = {"p50": [], "p99": []}
    last = ""
    with running(target.environment, "echo") as bare, _through_kafka(target) as through_kafka:
        for number in range(-1, target.pairs):
            users = target.users(CLIENTS)
            with ExitStack() as stack:
                ours = [stack.enter_context(Wire(target.url + "/ws", one.token)) for one in users]
                echo = [stack.enter_context(Wire(bare.url + "/ws", one.token)) for one in users]
                told = []
                for name, count, gap, percent in (
                    ("p50", alone, 0.0, 50),
                    ("p99", crowd, 1 / PER_SECOND, 99),
                ):
                    whole = percentile(_asked(ours, count, gap), percent)
                    target.settle()
                    log = percentile(through_kafka(count, gap or 0.01), percent)
                    trip = percentile(_asked(echo, count, gap), percent)
                    if number >= 0:
                        ratios[name].append(whole / (log + trip))
                    parts = f"Kafka {log * 1e3:.1f}, socket {trip * 1e3:.1f}"
                    told.append(f"{name} {whole * 1e3:.1f} ms, {parts}")
                last = "; ".join(told)
    what = "request to URL / Kafka + socket"
    return [
        Row("url-p50", f"p50, {what}", ratios["p50"], 1.2, is_most=True, detail=f"last: {last}"),
        Row("url-p99", f"p99 at {PER_SECOND}/s, {what}", ratios["p99"], 1.5, is_most=True),
    ]


def _asked(wires: Sequence[Wire], count: int, gap: float) -> Times:
    """Seconds to the answer to each of *count* requests, which begin *gap* apart.

    Without a gap each waits for the one before. Ours are answered by the second event, which names
    the messageId like an echo does.
    """
    sent: dict[str, float] = {}
    times: Times = []

    def hear(wire: Wire, share: int) -> None:
        for _ in range(share):
            while (event := json.loads(wire.receive())).get("event") == "upload.accepted":
                pass
            assert event.get("event", "upload.ready") == "upload.ready", event
            times.append(time.perf_counter() - sent[event["messageId"]])

    def ask(wire: Wire) -> None:
        body = {"action": "upload", **wanted()}
        sent[body["messageId"]] = time.perf_counter()
        wire.send(body)

    if not gap:
        for number in range(count):
            ask(wires[number % len(wires)])
            hear(wires[number % len(wires)], 1)
        return times
    shares = [len(range(number, count, len(wires))) for number in range(len(wires))]
    threads = [threading.Thread(target=hear, args=pair) for pair in zip(wires, shares, strict=True)]
    for thread in threads:
        thread.start()
    paced(count, gap, lambda number: ask(wires[number % len(wires)]))
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

    def times(count: int, gap: float) -> Times:
        def send(_: int) -> None:
            producer.send(topic, key=secrets.token_bytes(8), value=str(time.monotonic()).encode())

        threading.Thread(target=paced, args=(count, gap, send)).start()
        return [float(told.readline()) for _ in range(count)]

    try:
        yield times
    finally:
        consumer.terminate()
        consumer.communicate()
        producer.close()
        admin.delete_topics([topic])
        admin.close()
