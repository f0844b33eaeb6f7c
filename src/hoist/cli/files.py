"""hoist status, cancel, ls, download."""

from __future__ import annotations

from pathlib import Path

import click

from hoist.cli.context import Context, pass_context
from hoist.cli.output import (
    print_facts,
    print_json,
    print_rows,
    printable,
    say,
    shown_path,
    size_words,
)
from hoist.cli.problems import Failure
from hoist.client import File, HoistProblem

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.command()
@click.argument("file_id", metavar="ID")
@as_json_option
@pass_context
def status(context: Context, file_id: str, as_json: bool) -> None:
    """Show how far an upload is: accepted, ready, stored, rejected, expired or cancelled."""
    with context.client() as client:
        view = client.status(file_id)
    if as_json:
        print_json(view)
        return
    facts: list[tuple[str, object]] = [("id", view["fileId"]), ("state", view["state"])]
    if progress := view.get("progress"):
        done, total = size_words(progress["bytesSent"]), size_words(progress["bytesTotal"])
        facts += [("phase", progress["phase"]), ("sent", f"{done} of {total}")]
    if parts := view.get("parts"):
        facts.append(("parts", f"{len(parts['stored'])} of {parts['count']} parts"))
    if file := view.get("file"):
        facts += [("name", shown_path(file)), ("size", size_words(file["size"]))]
        facts += [("created", file["createdAt"])]
    if error := view.get("error"):
        facts.append(("reason", error.get("detail", "")))
    print_facts(facts)


@click.command()
@click.argument("file_id", metavar="ID")
@pass_context
def cancel(context: Context, file_id: str) -> None:
    """Give up an upload, wherever it runs; a file that is stored already is deleted."""
    with context.client() as client:
        try:
            message_id = client.status(file_id).get("messageId", "")
        except HoistProblem as problem:
            if problem.code != "not_found":
                raise
            message_id = ""  # still in the queue, or unknown: cancel says which
        client.cancel(file_id)
    context.journal().remove(message_id)
    say(f"Cancelled {printable(file_id)}.")


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 200))
@click.option("--all", "everything", is_flag=True, help="Every file, however many.")
@as_json_option
@pass_context
def ls(context: Context, limit: int, everything: bool, as_json: bool) -> None:
    """List your files, newest first.

    In a pipe: id, status, size in bytes, time of creation and name (after its folder), separated
    by tabs.
    """
    with context.client() as client:
        if everything:
            files, more = list(client.iterate()), None
        else:
            page = client.list(limit=limit)
            files, more = page["files"], page["nextCursor"]
    if as_json:
        print_json({"files": files, "nextCursor": more})
        return
    headings = ("ID", "STATUS", "SIZE", "CREATED", "NAME")
    print_rows(headings, [_row(file) for file in files])
    if more:
        say("There are more: --all shows every file.")


@click.command()
@click.argument("file_id", metavar="ID")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or folder to write to; a file is replaced  [default: the file's name, here]",
)
@as_json_option
@pass_context
def download(context: Context, file_id: str, output: Path | None, as_json: bool) -> None:
    """Get a file; it appears only when it is complete and its SHA-256 is right."""
    with context.client() as client:
        path = output
        if path is None or path.is_dir():
            path = (path or Path()) / local_name(client.get(file_id))
            # Only a name the person typed may replace something.
            if path.exists():
                raise Failure(f"{path} exists: choose another name with -o")
        file = client.download(file_id, path)
    if as_json:
        print_json({**file, "path": str(path)})
    else:
        click.echo(printable(str(path)))


def local_name(file: File) -> str:
    """A name without folders or control characters; the id when nothing is left of it."""
    last = file["name"].replace("\\", "/").rpartition("/")[2]
    name = "".join(filter(str.isprintable, last)).strip()
    return file["fileId"] if name in ("", ".", "..") else name


def _row(file: File) -> tuple[object, ...]:
    return file["fileId"], file["status"], file["size"], file["createdAt"], shown_path(file)
