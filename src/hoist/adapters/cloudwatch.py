"""Numbers in CloudWatch.

IAM      cloudwatch:PutMetricData
Not here namespaces that begin with AWS/, on AWS: they are for its own services (reference of
         PutMetricData, 2026-11). LocalStack takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from hoist.adapters.aws import temporary_failures
from hoist.domain.lag import Metric

AT_ONCE_MAX = 500  # CloudWatch takes 1,000, and 1 MB


class CloudWatch:
    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, metrics: Sequence[Metric], at_ms: int) -> None:
        by_namespace = groupby(sorted(metrics, key=_namespace), _namespace)
        for namespace, found in by_namespace:
            data = [_datum(metric, at_ms) for metric in found]
            for first in range(0, len(data), AT_ONCE_MAX):
                with temporary_failures("CloudWatch"):
                    self._client.put_metric_data(
                        Namespace=namespace, MetricData=data[first : first + AT_ONCE_MAX]
                    )


def _namespace(metric: Metric) -> str:
    return metric.namespace


def _datum(metric: Metric, at_ms: int) -> dict[str, Any]:
    return {
        "MetricName": metric.name,
        "Value": metric.value,
        "Unit": metric.unit,
        "Timestamp": at_ms / 1000,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
    }
