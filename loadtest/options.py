"""What may be set beside Locust's own options: on the command line, and in its start form."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from locust import events

SPREAD_SECONDS = 30


def _options(parser: Any, **_: Any) -> None:
    parser.add_argument(
        "--think-scale",
        type=float,
        default=1.0,
        help="Multiplies the time that people think between two things they do",
    )
    parser.add_argument(
        "--base-share",
        type=float,
        default=0.2,
        help="Spike: the share of users before and after it",
    )
    parser.add_argument("--steps", type=int, default=5, help="Steps: how many")
    parser.add_argument(
        "--jitter-seconds",
        type=float,
        default=5.0,
        help="Thundering reconnect: within which time all come back",
    )
    parser.add_argument(
        "--spread-seconds",
        type=float,
        default=SPREAD_SECONDS,
        help="Crowd: within which time all begin to upload, once all are connected",
    )
    parser.add_argument(
        "--crowd-patience-seconds",
        type=float,
        default=180.0,
        help="Crowd: how long each leg of an upload may take",
    )
    parser.add_argument(
        "--settle-seconds",
        type=float,
        default=45.0,
        help="How long what was granted may take to settle once no consumer is behind",
    )
    parser.add_argument(
        "--shape",
        default="",
        include_in_web_ui=False,
        help="Without a browser: the shape's name; none holds --users for --run-time",
    )
    parser.add_argument(
        "--reports",
        default="reports/loadtest",
        include_in_web_ui=False,
        help="The directory for what came of a run",
    )


def of(environment: Any) -> Namespace:
    """The options as they are now: the start form may have changed them."""
    options = environment.parsed_options
    assert isinstance(options, Namespace)
    return options


events.init_command_line_parser.add_listener(_options)
