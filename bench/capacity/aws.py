"""What AWS allows and asks: us-east-1, list prices without free tier, discounts or taxes.

Prices are from memory of the public price pages of 2025 and were not looked up again: check them
at https://calculator.aws before you rely on them.
"""

from __future__ import annotations

from bench.capacity.figures import Figure

PAGE, KNOWN = "price page, 2025, from memory", "AWS docs, from memory"
CHECKED = "AWS docs, looked up"

CONNECTS_PER_SECOND = Figure(500, "new sockets/s", CHECKED + "; soft")
GATEWAY_PER_SECOND = Figure(10_000, "requests/s an account", CHECKED + "; soft")
LAMBDA_CONCURRENCY = Figure(1000, "at once an account", KNOWN + "; soft")
LAMBDA_BATCH = Figure(100, "records", CHECKED + "; default of a Kafka source")
SQS_BATCH = Figure(10, "messages", KNOWN + "; default of an SQS source")
POLLER_BYTES = Figure(5_000_000, "bytes/s a poller", CHECKED)
POLLER_CALLS = Figure(5, "calls at once a poller", CHECKED)
TABLE_WCU = Figure(40_000, "WCU/s a table, on demand", KNOWN + "; soft")
TABLE_RCU = Figure(40_000, "RCU/s a table, on demand", KNOWN + "; soft")
KEY_WCU = Figure(1000, "WCU/s a partition", KNOWN + "; hard")
COLLECTION_BYTES = Figure(10e9, "bytes a user, with local indexes", KNOWN + "; hard")
PREFIX_PUTS = Figure(3500, "PUT/s a prefix", KNOWN + "; hard, prefixes split by themselves")
BROKER_BYTES = Figure(10_000_000, "bytes/s in, a kafka.m7g.large", "assumption, cautious")
BROKER_REPLICAS = Figure(1000, "replicas, a kafka.m7g.large", KNOWN)
BROKER_CONNECTIONS = Figure(3000, "clients of a broker, with IAM", KNOWN)
CACHE_BYTES = Figure(26.32 * 2**30, "bytes, a cache.r7g.xlarge", PAGE)
CACHE_BYTES_LARGEST = Figure(419 * 2**30, "bytes, a cache.r7g.16xlarge", PAGE)
CACHE_OPS = Figure(100_000, "commands/s a primary", "assumption: Redis runs them on one core")
CACHE_CONNECTIONS = Figure(65_000, "clients of a primary", CHECKED + "; hard")
TICKS_PER_MINUTE = Figure(1, "a minute", "EventBridge Scheduler, " + KNOWN + "; hard")

WS_MESSAGES = Figure(1.00, "$ per million messages of 32 KB", PAGE)
WS_MINUTES = Figure(0.25, "$ per million minutes connected", PAGE)
HTTP_REQUESTS = Figure(1.00, "$ per million", PAGE)
LAMBDA_SECONDS = Figure(0.0000166667 * 1.769, "$ a second of one core (1,769 MB)", PAGE)
LAMBDA_CALLS = Figure(0.20, "$ per million", PAGE)
POLLER_HOUR = Figure(0.185 / 4, "$ a poller (a quarter of a poller unit)", PAGE)
BROKER_HOUR = Figure(0.204, "$ a kafka.m7g.large", PAGE)
BROKER_GB_MONTH = Figure(0.10, "$ a GB of each replica", PAGE)
WRITES = Figure(0.625, "$ per million WCU, on demand", PAGE)
READS = Figure(0.125, "$ per million RCU, on demand", PAGE)
TABLE_GB_MONTH = Figure(0.25, "$ a GB", PAGE)
CACHE_HOUR = Figure(0.437, "$ a cache.r7g.xlarge", PAGE)
PUTS = Figure(5.00, "$ per million", PAGE)
GETS = Figure(0.40, "$ per million", PAGE)
S3_GB_MONTH = Figure(0.023, "$ a GB, the first 50 TB", PAGE)
SQS_REQUESTS = Figure(0.40, "$ per million", PAGE)
LOG_GB = Figure(0.50, "$ a GB taken in", PAGE)
TRANSFER_GB = Figure(0.09, "$ a GB to the internet, the first 10 TB", PAGE)
