"""What one line of the log says."""

import io
import json
import logging
import re

import pytest

from hoist import telemetry


@pytest.fixture
def lines(monkeypatch):
    """Calls the logger as it is configured; returns the lines, parsed."""
    root, written = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level)
    levels = {name: logging.getLogger(name).level for name in ("kafka", "botocore")}
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr(telemetry, "_service", "")
    telemetry.configure_logging("gateway-a")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    telemetry.bind(None)
    root.handlers[:], root.level = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_has_time_level_service_message_trace_and_what_the_caller_adds(lines):
    telemetry.bind(trace := telemetry.new_trace())
    logging.getLogger("any").warning("put %s", "back", extra={"fileId": "a", "at": {1.5}})
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "WARNING",
        "service": "gateway-a",
        "message": "put back",
        "fileId": "a",
        "at": "{1.5}",
        "traceId": trace,
    }


def test_a_failure_brings_its_traceback_and_stays_one_line(lines):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("any").exception("failed")
    (line,) = lines()
    assert line["message"] == "failed"
    assert line["exc_info"].startswith("Traceback")
    assert "ValueError: two\nlines" in line["exc_info"]
    assert "traceId" not in line


def test_a_callers_own_trace_counts_and_what_is_quiet_is_not_written(lines):
    telemetry.bind("b" * 32)
    logging.getLogger("any").info("said", extra={"traceId": "c" * 32})
    logging.getLogger("kafka.client").info("chatter")
    (line,) = lines()
    assert line["traceId"] == "c" * 32
