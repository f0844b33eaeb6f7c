"""Which files `hoist ls` and `hoist download` mean: one set of options for all who list."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from hoist.cli.amounts import moment_of, size_of

Command = Callable[..., Any]

_OPTIONS = (
    click.option("--public", "visibility", flag_value="public", help="Only public files."),
    click.option("--private", "visibility", flag_value="private", help="Only private files."),
    click.option("--name", metavar="TEXT", help="Names that contain it, in any case."),
    click.option("--type", metavar="TYPE", help="This content type; image/* for all of its kind."),
    click.option(
        "--from",
        "created_from",
        type=moment_of,
        metavar="TIME",
        help="Created then or later: 2026-01-31, an RFC 3339 time, or 7d for a week ago.",
    ),
    click.option(
        "--to", "created_to", type=moment_of, metavar="TIME", help="Created before then, as --from."
    ),
    click.option(
        "--min-size", "size_min", type=size_of, metavar="SIZE", help="At least: 500, 10MB, 5MiB."
    ),
    click.option("--max-size", "size_max", type=size_of, metavar="SIZE", help="At most."),
    click.option(
        "--folder", metavar="FOLDER", help="In this folder; photos/ with what is below it, '' none."
    ),
)
_NAMES = (
    *("visibility", "name", "type", "created_from", "created_to"),
    *("size_min", "size_max", "folder"),
)


def filter_options(command: Command) -> Command:
    """Adds the options; the command gets those that were given as ``filters``."""

    @functools.wraps(command)
    def with_filters(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _NAMES}
        filters = {name: value for name, value in given.items() if value is not None}
        return command(*args, filters=filters, **options)

    return functools.reduce(lambda wrapped, add: add(wrapped), reversed(_OPTIONS), with_filters)
