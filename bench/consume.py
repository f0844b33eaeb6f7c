"""The bare consumer: prints how long each record was on its way, until it is terminated."""

from __future__ import annotations

import sys
import time

from kafka import KafkaConsumer, TopicPartition


def main() -> None:
    servers, topic = sys.argv[1:]
    consumer = KafkaConsumer(bootstrap_servers=servers)
    consumer.assign([TopicPartition(topic, number) for number in range(4)])
    consumer.seek_to_beginning()
    consumer.poll(0)
    print("ready", flush=True)
    for record in consumer:
        print(time.monotonic() - float(record.value), flush=True)


if __name__ == "__main__":
    main()
