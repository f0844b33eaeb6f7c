"""Sizes, spans and times as people write them."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from hoist.cli.amounts import moment_of, seconds_of, size_of


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("500B", 500),
        ("10MB", 10_000_000),
        ("10mb", 10_000_000),
        ("5MiB", 5 * 1024**2),
        ("5 Mi", 5 * 1024**2),
        ("1.5k", 1500),
        ("2G", 2 * 10**9),
        ("1TiB", 1024**4),
    ],
)
def test_a_size_may_have_a_unit(text, size):
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1XB", "1iB", "1.MB", "ten", "1e3"])
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="10MB"):
        size_of(text)


def test_a_span_has_a_unit():
    spans = {"45s": 45, "30m": 1800, "12h": 43_200, "7d": 604_800, "2W": 1_209_600}
    assert {text: seconds_of(text) for text in spans} == spans
    for text in ("", "7", "d", "-7d", "1.5h", "7 days"):
        with pytest.raises(click.BadParameter, match="7d"):
            seconds_of(text)


def test_a_time_is_a_day_a_moment_or_a_while_ago():
    assert moment_of("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moment_of("2026-01-31T12:00:00Z") == noon
    assert moment_of("2026-01-31T14:00:00+02:00") == noon
    ago = datetime.now(UTC) - moment_of("7d")
    assert abs(ago - timedelta(days=7)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "99999999w", "0001-01-01T00:00+23:00"]
)
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="2026-01-31"):
        moment_of(text)
