"""hoist download, open: a file, a folder full of them, or one zip."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from hoist.cli.bars import bars
from hoist.cli.context import Context, pass_context
from hoist.cli.filters import filter_options
from hoist.cli.outcomes import Outcome, report
from hoist.cli.output import print_json, printable, say, shown_path
from hoist.cli.problems import INTERRUPTED, Failure
from hoist.client import Client, Downloaded, File, Filters
from hoist.client.local_paths import local_name
from hoist.client.views import OnProgress


@click.command()
@click.argument("file_id", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every file, or those the filters mean.")
@click.option("--zip", "as_zip", is_flag=True, help="The same as one zip, made anew each time.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or folder to write to; a file is replaced  [default: the file's name, here]",
)
@click.option(
    "--at-once",
    default=4,
    show_default=True,
    type=click.IntRange(1, 32),
    metavar="N",
    help="With --all: so many files at the same time.",
)
@filter_options
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@pass_context
def download(
    context: Context,
    file_id: str | None,
    everything: bool,
    as_zip: bool,
    output: Path | None,
    at_once: int,
    filters: Filters,
    as_json: bool,
) -> None:
    """Get a file; it appears only when it is complete and its SHA-256 is right.

    Give an ID, --all or --zip. The same command goes on with what was interrupted; with --zip it
    begins anew.

    \b
    hoist download 7d0c…
    hoist download --all --type 'image/*' -o pictures
    hoist download --zip --folder photos/ -o photos.zip
    """
    if [file_id is not None, everything, as_zip].count(True) != 1:
        raise click.UsageError("give an ID, --all or --zip")
    if file_id is not None and filters:
        raise click.UsageError("filters belong to --all and --zip")
    with context.client() as client:
        try:
            if file_id is not None:
                _one(client, file_id, output, as_json=as_json)
            elif everything:
                _all(client, filters, output, at_once, as_json=as_json)
            else:
                _zip(client, filters, output, as_json=as_json)
        except KeyboardInterrupt:
            advice = "the same command goes on from here"
            if as_zip:
                advice = "nothing was kept, the same command begins anew"
            raise Failure(f"interrupted: {advice}", INTERRUPTED) from None


@click.command(name="open")
@click.argument("file_id", metavar="ID")
@click.option("--print", "prints", is_flag=True, help="Only print the address.")
@pass_context
def open_(context: Context, file_id: str, prints: bool) -> None:
    """Open a file in the browser; in a pipe, print its download address.

    The address works for anybody who has it, for a few minutes.
    """
    with context.client() as client:
        url = client.content_url(file_id)
    if prints or not sys.stdout.isatty():
        click.echo(printable(url))
    elif click.launch(url):
        raise Failure("no browser could be opened: try --print")


def _one(client: Client, file_id: str, output: Path | None, *, as_json: bool) -> None:
    file = client.get(file_id)
    path = output
    if path is None or path.is_dir():
        path = (path or Path()) / local_name(file["name"], file["fileId"])
        # Only a name the person typed may replace something.
        if path.exists():
            raise Failure(f"{path} exists: choose another name with -o")
    with bars() as bar_of:
        file = client.download(file_id, path, on_progress=bar_of(file["name"], file["size"]))
    _print_path({**file, "path": str(path)}, as_json=as_json)


def _all(
    client: Client, filters: Filters, output: Path | None, at_once: int, *, as_json: bool
) -> None:
    if output is None:
        raise click.UsageError("--all needs a folder: -o FOLDER")
    with bars() as bar_of:

        def progress_of(file: File) -> OnProgress:
            return bar_of(file["name"], file["size"])

        found = client.download_all(output, at_once=at_once, progress_of=progress_of, **filters)
    _sum_up(found)
    report(
        [_outcome(item) for item in found],
        as_json=as_json,
        headings=("ID", "PATH"),
        row=lambda file: (file["fileId"], file["path"]),
    )


def _sum_up(found: Sequence[Downloaded]) -> None:
    there = sum(item.was_there for item in found)
    failed = sum(item.problem is not None for item in found)
    if found:
        say(f"{len(found)} files: {len(found) - there - failed} fetched, {there} were there.")
    else:
        say("There is nothing to download.")


def _outcome(item: Downloaded) -> Outcome:
    if item.problem:
        return Outcome(shown_path(item.file), problem=item.problem)
    return Outcome(shown_path(item.file), {**item.file, "path": str(item.path)})


def _zip(client: Client, filters: Filters, output: Path | None, *, as_json: bool) -> None:
    if output is None or output.is_dir():
        raise click.UsageError("--zip needs a file to write to: -o FILE.zip")
    archive_id = client.archive(**filters)["archiveId"]
    say("The service is making the zip.")
    archive = client.archive_ready(archive_id)
    with bars() as bar_of:
        on_progress = bar_of(output.name, archive.get("size", 0))
        client.download_archive(archive_id, output, on_progress=on_progress)
    _print_path({**archive, "path": str(output)}, as_json=as_json)


def _print_path(answer: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(printable(str(answer["path"])))
