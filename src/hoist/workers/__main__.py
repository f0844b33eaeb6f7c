"""``python -m hoist.workers NAME``: run one event source until SIGTERM.

Consumers run in plain processes: kafka-python's are not tried under monkey-patching.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time

from hoist import telemetry, wiring
from hoist.domain.archives import BUILD_SECONDS_MAX
from hoist.domain.errors import Unavailable
from hoist.domain.messages import (
    ARCHIVES_GROUP,
    ARCHIVES_TOPIC,
    GROUPS,
    METADATA_GROUP,
    METADATA_TOPIC,
    RETRY_SECONDS,
    ingest_topic,
    retry_group,
    retry_topic,
)
from hoist.lambdas import bucket, clock, topics
from hoist.workers import kafka_source, metrics, sqs_source

logger = logging.getLogger(__name__)
KAFKA = {
    "upload-premium": (ingest_topic("premium"), GROUPS["premium"], topics.upload_premium),
    "upload-basic": (ingest_topic("basic"), GROUPS["basic"], topics.upload_basic),
    "metadata": (METADATA_TOPIC, METADATA_GROUP, topics.metadata),
    "archives": (ARCHIVES_TOPIC, ARCHIVES_GROUP, topics.archives),
}
BATCH_MAX, WORK_SECONDS_MAX = 100, 300
RETRY_BATCH_MAX = 10
ONE_BY_ONE = {"archives"}  # one record may be minutes of work
DRAIN_SECONDS = 6  # leaves time to commit and to leave the group, within the ten of supervisors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hoist.workers", description=__doc__)
    parser.add_argument("name", choices=[*KAFKA, "retries", "bucket-events", "janitor", "metrics"])
    name = parser.parse_args().name
    stopping = stop_on_signals()
    telemetry.configure_logging(name, os.environ.get("HOIST_LOG_LEVEL", "INFO"))
    services = wiring.services()
    services.policy.watch()  # a tier file that makes no sense is told now
    if name in KAFKA:
        poll(name, services, stopping)
    elif name == "retries":
        poll_retries(services, stopping)
    elif name == "bucket-events":
        logger.info("worker ready", extra={"queue": services.settings.bucket_events_queue})
        sqs_source.run(
            services.sqs,
            services.settings.bucket_events_queue,
            bucket.bucket_events,
            stopping,
            services.is_up,
        )
    elif name == "metrics":
        metrics.run(services, stopping)
    else:
        logger.info("worker ready")
        tick(services.settings.janitor_seconds, stopping)
    logger.info("worker stopped")
    services.close()


def stop_on_signals() -> threading.Event:
    """Set by SIGTERM or Ctrl-C. What is still in hand 6 s later is given up: it comes again."""
    stopping = threading.Event()

    def stop(*_: object) -> None:
        if not stopping.is_set():
            stopping.set()
            signal.alarm(DRAIN_SECONDS)

    def give_up(*_: object) -> None:
        raise SystemExit(f"work in hand was given up after {DRAIN_SECONDS} s")

    signal.signal(signal.SIGALRM, give_up)
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, stop)
    return stopping


def poll_retries(services: wiring.Services, stopping: threading.Event) -> None:
    """Feed every function what is due of its retry topics, each in a thread of its own."""
    servers = services.settings.kafka_bootstrap
    threads = []
    for name, (_, group, handler) in KAFKA.items():
        prefix = services.settings.topic_prefix
        waiting = [prefix + retry_topic(group, seconds) for seconds in RETRY_SECONDS]
        consumer = services.consumer(group=retry_group(group), work_seconds_max=BUILD_SECONDS_MAX)
        batch_max = 1 if name in ONE_BY_ONE else RETRY_BATCH_MAX
        arguments = (consumer, waiting, handler, stopping, servers, batch_max)
        # A thread that does not end in time must not keep the process.
        threads.append(
            threading.Thread(target=kafka_source.run, args=arguments, name=group, daemon=True)
        )
    for thread in threads:
        thread.start()
    logger.info("worker ready", extra={"groups": [thread.name for thread in threads]})
    dead: list[str] = []
    while not dead and not stopping.wait(1):
        dead = [thread.name for thread in threads if not thread.is_alive()]
    stopping.set()
    deadline = time.monotonic() + DRAIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if dead:
        # Whoever watches this process starts it again, whole.
        raise SystemExit(f"the retries of {', '.join(dead)} ended")


def poll(name: str, services: wiring.Services, stopping: threading.Event) -> None:
    """Feed the function called *name* from its topic."""
    topic, group, handler = KAFKA[name]
    one = name in ONE_BY_ONE
    seconds_max = BUILD_SECONDS_MAX if one else WORK_SECONDS_MAX
    consumer = services.consumer(group=group, work_seconds_max=seconds_max)
    logger.info("worker ready", extra={"topic": topic})
    servers, named = services.settings.kafka_bootstrap, [services.settings.topic_prefix + topic]
    batch_max = 1 if one else BATCH_MAX
    kafka_source.run(consumer, named, handler, stopping, servers, batch_max)


def tick(every_seconds: int, stopping: threading.Event) -> None:
    """The janitor's clock: once every *every_seconds*, at once again while there is more."""
    while not stopping.is_set():
        try:
            settled = clock.janitor({}, None)["settled"]
        except Unavailable as error:
            logger.warning("nothing settled", extra={"reason": str(error)})
            settled = 0
        stopping.wait(1 if settled else every_seconds)


if __name__ == "__main__":
    main()
