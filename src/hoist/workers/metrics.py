"""Measures lag on a clock, for Prometheus and CloudWatch.

A process of its own: what tells that others stand still must not stand still with them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hoist import wiring
from hoist.domain.errors import Unavailable
from hoist.domain.lag import Lag

logger = logging.getLogger(__name__)
PARTITION = ("group", "topic", "partition")
# Members of a PartitionLag.
TOLD = {
    "lag": "Records that the group has not committed",
    "oldest_seconds": "Age of the oldest of them; 0 for none",
    "records_per_second": "Records committed, over the last 30 s",
    "drain_seconds": "How long the lag takes at that speed; absent while nothing moves",
}


def run(services: wiring.Services, stopping: threading.Event) -> None:
    """Serve /metrics, and look every HOIST_METRICS_SECONDS, until *stopping* is set."""
    settings, gauges = services.settings, Gauges()
    REGISTRY.register(gauges)
    host, _, port = settings.metrics_listen.rpartition(":")
    server, thread = start_http_server(int(port), host)
    logger.info("worker ready", extra={"listen": settings.metrics_listen})
    while not stopping.is_set():
        # An old number looks like a good one: while nobody knows, nothing is told.
        gauges.latest = _measured(services)
        if gauges.latest:
            _keep(services, gauges.latest)
        stopping.wait(settings.metrics_seconds)
    server.shutdown()
    server.server_close()
    thread.join()


def _measured(services: wiring.Services) -> Lag | None:
    try:
        return services.measure_lag()
    except Unavailable as error:
        logger.warning("lag not measured", extra={"reason": str(error)})
        return None


def _keep(services: wiring.Services, lag: Lag) -> None:
    try:
        services.keep_lag(lag)
    except Unavailable as error:
        logger.warning("lag not kept", extra={"reason": str(error)})


class Gauges(Collector):
    """The latest look, whole, to whoever asks: one series a partition of our own topics."""

    latest: Lag | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        lag = self.latest
        if lag is None:
            return
        for name, text in TOLD.items():
            family = GaugeMetricFamily(f"hoist_consumer_{name}", text, labels=PARTITION)
            for one in lag.partitions:
                value = getattr(one, name)
                if value is not None:
                    family.add_metric([one.group, one.topic, str(one.partition)], value)
            yield family
        letters = GaugeMetricFamily("hoist_dead_letters", "Records set aside", labels=["group"])
        for group, count in lag.dead_letters.items():
            letters.add_metric([group], count)
        yield letters
