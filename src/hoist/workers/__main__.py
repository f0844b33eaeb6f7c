"""``python -m hoist.workers NAME``: run one event source until SIGTERM.

Consumers run in plain processes: kafka-python's are not tried under monkey-patching.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading

from hoist import telemetry, wiring
from hoist.domain.errors import Unavailable
from hoist.domain.messages import GROUPS, METADATA_GROUP, METADATA_TOPIC, ingest_topic
from hoist.lambdas import bucket, clock, topics
from hoist.workers import kafka_source, sqs_source

logger = logging.getLogger(__name__)
KAFKA = {
    "upload-premium": (ingest_topic("premium"), GROUPS["premium"], topics.upload_premium),
    "upload-basic": (ingest_topic("basic"), GROUPS["basic"], topics.upload_basic),
    "metadata": (METADATA_TOPIC, METADATA_GROUP, topics.metadata),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hoist.workers", description=__doc__)
    parser.add_argument("name", choices=[*KAFKA, "bucket-events", "janitor"])
    name = parser.parse_args().name
    stopping = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stopping.set())
    telemetry.configure_logging(name, os.environ.get("HOIST_LOG_LEVEL", "INFO"))
    services = wiring.services()
    services.policy.watch()  # a tier file that makes no sense is told now
    if name in KAFKA:
        topic, group, handler = KAFKA[name]
        consumer = services.consumer(services.settings.topic_prefix + topic, group)
        logger.info("worker ready", extra={"topic": topic})
        kafka_source.run(consumer, handler, stopping, services.settings.kafka_bootstrap)
    elif name == "bucket-events":
        logger.info("worker ready", extra={"queue": services.settings.bucket_events_queue})
        sqs_source.run(
            services.sqs, services.settings.bucket_events_queue, bucket.bucket_events, stopping
        )
    else:
        logger.info("worker ready")
        tick(services.settings.janitor_seconds, stopping)
    logger.info("worker stopped")
    services.close()


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
