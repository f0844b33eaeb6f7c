"""hoist history, timeline: who downloaded a file, and what happened to it on its way."""

from __future__ import annotations

import click

from hoist.cli.context import Context, pass_context
from hoist.cli.output import print_json, print_rows, say
from hoist.client.views import Step

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.command()
@click.argument("file_id", metavar="ID")
@as_json_option
@pass_context
def history(context: Context, file_id: str, as_json: bool) -> None:
    """Show who was given a file's download address: its owner, the public, or a link.

    In a pipe: time, by whom, link id and trace, separated by tabs; the last 100, newest first.
    """
    with context.client() as client:
        found = client.downloads(file_id)
    if as_json:
        print_json(found)
        return
    rows = [
        (item["at"], item["by"], item.get("shareId") or "", item.get("traceId") or "")
        for item in found["downloads"]
    ]
    print_rows(("TIME", "BY", "LINK", "TRACE"), rows)
    count = found["count"]
    say(
        f"{count} download{'' if count == 1 else 's'}" + (", the last ones above." if rows else ".")
    )


@click.command()
@click.argument("file_id", metavar="ID")
@as_json_option
@pass_context
def timeline(context: Context, file_id: str, as_json: bool) -> None:
    """Show what happened to a file, oldest first.

    In a pipe: time, step, place in the log (topic partition:offset), the worker that put it
    there, the one that recorded it, and the trace, separated by tabs.
    """
    with context.client() as client:
        found = client.timeline(file_id)
    if as_json:
        print_json(found)
        return
    headings = ("TIME", "STEP", "LOG", "WORKER", "RECORDED BY", "TRACE")
    print_rows(headings, [_row(step) for step in found["steps"]])


def _row(step: Step) -> tuple[object, ...]:
    log = f"{step['topic']} {step['partition']}:{step['offset']}" if "offset" in step else ""
    named = (step.get("worker"), step.get("recordedBy"), step.get("traceId"))
    return step["at"], step["step"], log, *(name or "" for name in named)
