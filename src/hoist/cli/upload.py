"""hoist upload: files in parallel over one socket; a killed one goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hoist.cli.bars import bars
from hoist.cli.context import Context, pass_context
from hoist.cli.gather import gather, shown_name
from hoist.cli.journal import Item, Journal, Visibility
from hoist.cli.outcomes import Outcome, report
from hoist.cli.output import printable, say
from hoist.cli.problems import INTERRUPTED, Failure
from hoist.client import Client, HoistProblem
from hoist.client.crew import in_parallel
from hoist.client.views import OnProgress


@click.command()
@click.argument(
    "files",
    nargs=-1,
    metavar="FILE_OR_FOLDER...",
    type=click.Path(exists=True, readable=True, path_type=Path),
)
@click.option("--public", is_flag=True, help="Mark as public instead of private.")
@click.option("--rest", is_flag=True, help="Use REST instead of the WebSocket.")
@click.option("--message-id", help="Repeat an earlier upload of one file; it is stored once.")
@click.option("--content-type", help="Media type  [default: guessed from the name]")
@click.option("--parallel", default=4, show_default=True, type=click.IntRange(1, 32), metavar="N")
@click.option("--resume", is_flag=True, help="Go on with everything unfinished; takes no FILE.")
@click.option("--restart", is_flag=True, help="Begin anew, even if an upload was unfinished.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
@pass_context
def upload(context: Context, /, files: tuple[Path, ...], **options: Any) -> None:
    """Upload files and folders; returns once storage has confirmed each file.

    Prints a line per stored file: its id, a tab, its name after its folder. An upload that was
    interrupted or killed goes on when the same command is given again.
    """
    journal = context.journal()
    items = _unfinished(journal, files, options) if options["resume"] else None
    if items is None:
        items = _named(journal, files, options)
    if not items:
        say("There is nothing to upload.")
        return
    with context.client(_Resumed(items)) as client, bars() as bar_of:

        def one(item: Item) -> Outcome:
            on_progress = bar_of(_label(item), item.size)
            return _upload(client, journal, item, on_progress, rest=options["rest"])

        try:
            outcomes = in_parallel(one, items, options["parallel"], client.stop)
        except KeyboardInterrupt:
            advice = "the same command, or `hoist upload --resume`, goes on from here"
            raise Failure(f"interrupted: {advice}", INTERRUPTED) from None
    report(outcomes, as_json=options["as_json"])


def _named(journal: Journal, files: Sequence[Path], options: Mapping[str, Any]) -> list[Item]:
    if not files:
        raise click.UsageError("Missing argument 'FILE_OR_FOLDER...'.")
    visibility: Visibility = "public" if options["public"] else "private"
    found = [
        Item.of(path, folder, visibility, options["content_type"]) for path, folder in gather(files)
    ]
    if not options["message_id"]:
        return journal.identify(found, restart=options["restart"])
    if len(found) != 1:
        raise click.UsageError("--message-id belongs to one FILE")
    return [replace(found[0], message_id=options["message_id"])]


def _unfinished(journal: Journal, files: Sequence[Path], options: Mapping[str, Any]) -> list[Item]:
    """What the journal holds; a file that is not what it was is named and forgotten."""
    if files or options["message_id"] or options["restart"]:
        raise click.UsageError("--resume takes no FILE, --message-id or --restart")
    items = []
    for item in journal.entries():
        if item.is_unchanged:
            items.append(item)
        else:
            say(f"{printable(item.path)}: changed or gone since, not resumed")
            journal.remove(item.message_id)
    return items


def _upload(
    client: Client, journal: Journal, item: Item, on_progress: OnProgress, *, rest: bool
) -> Outcome:
    journal.add(item)  # before the request: whatever happens from here on can be resumed
    path = Path(item.path)
    try:
        done = client.upload(
            path,
            name=shown_name(path.name),
            visibility=item.visibility,
            content_type=item.content_type,
            message_id=item.message_id,
            folder=item.folder,
            on_progress=on_progress,
            over="rest" if rest else "socket",
        )
    except (HoistProblem, OSError) as problem:
        outcome = Outcome(item.path, problem=problem)
    else:
        outcome = Outcome(item.path, done.file)
    if outcome.is_final:
        journal.remove(item.message_id)
    return outcome


class _Resumed:
    """Says on stderr what an upload finds of its earlier run."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = {item.message_id: item for item in items}

    def __call__(self, name: str, payload: Mapping[str, Any], at: float) -> None:
        if name != "parts.found":
            return
        item = self._items.pop(payload["messageId"], None)  # only once, whatever breaks later
        if item and (item.is_resumed or payload["stored"]):
            there = f"{payload['stored']} of {payload['count']} parts are there"
            say(f"resuming {printable(_label(item))}: {there}")


def _label(item: Item) -> str:
    return shown_name(Path(item.path).name)
