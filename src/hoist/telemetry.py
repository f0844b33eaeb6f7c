"""One trace through frames, Kafka headers and log lines, in W3C and X-Ray form; JSON logs.

The trace id is an X-Ray one (epoch seconds first), so that both forms name the same trace.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import sys
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import lru_cache

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

METRICS_TYPE = CONTENT_TYPE_LATEST
TRACE_HEADERS = TRACEPARENT, XRAY = "traceparent", "X-Amzn-Trace-Id"
_W3C = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_XRAY = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;Parent=([0-9a-f]{16}))?")
cache_lookups = Counter(
    "hoist_list_cache_lookups",
    "First pages of lists: hit; miss, read by this request; shared, read by another one just then; "
    "away, without a cache",
    ["result"],
)
open_sockets = Gauge("hoist_open_sockets", "WebSockets that this gateway holds")
_USUAL = frozenset(logging.makeLogRecord({}).__dict__)  # what every record has; the rest is extra
_encoded = json.JSONEncoder(default=repr).encode
_service = ""
_current: ContextVar[str | None] = ContextVar("trace_id", default=None)


def new_trace() -> str:
    """A trace id of 32 hex digits whose first 8 are the time, as X-Ray requires."""
    return f"{int(time.time()):08x}{random.getrandbits(96):024x}"


def trace_headers(trace_id: str) -> dict[str, str]:
    """*trace_id* in both forms, with a fresh span id: what every hop passes on."""
    span = f"{random.getrandbits(64):016x}"
    return {
        TRACEPARENT: f"00-{trace_id}-{span}-01",
        XRAY: f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={span};Sampled=1",
    }


def trace_of(headers: Mapping[str, str] | Iterable[tuple[str, bytes | str]]) -> str | None:
    """The trace id that *headers* carry in either form, or None when they carry none."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if name.lower() == TRACEPARENT and (match := _W3C.fullmatch(text)):
            return match[1]
        if name.lower() == XRAY.lower() and (match := _XRAY.match(text)):
            return match[1] + match[2]
    return None


def metrics() -> bytes:
    """This process's counters, in Prometheus' text format."""
    return generate_latest()


def worker() -> str:
    """The process that this is, as a file's timeline names it."""
    return f"{_service or os.environ.get('AWS_LAMBDA_FUNCTION_NAME', 'hoist')}/{os.getpid()}"


def bind(trace_id: str | None) -> None:
    """Let every log line of this thread, until the next call, carry *trace_id*."""
    _current.set(trace_id)


def configure_logging(service: str, level: str = "INFO") -> None:
    """JSON lines on stderr: time, level, service, message, traceId and what the caller adds."""
    global _service
    _service = service
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("kafka").setLevel(logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.WARNING)


class _Line(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self._service,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _USUAL}
        if record.exc_info:
            line["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack_info"] = record.stack_info
        if trace_id := _current.get():
            line.setdefault("traceId", trace_id)
        return _encoded(line)


@lru_cache(10)  # most lines are of now
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
