"""hoist status, cancel, ls."""

from __future__ import annotations

from typing import Any

import click

from hoist.cli.context import Context, pass_context
from hoist.cli.filters import filter_options
from hoist.cli.output import (
    print_facts,
    print_json,
    print_rows,
    printable,
    say,
    shown_path,
    size_words,
)
from hoist.client import Client, File, Filters, HoistProblem
from hoist.client.filters import Sort

PAGE_MAX = 200
ORDERS: dict[tuple[str, bool], Sort] = {
    ("created", False): "-created",
    ("created", True): "created",
    ("name", False): "name",
    ("name", True): "-name",
    ("size", False): "-size",
    ("size", True): "size",
}

# What a file's status adds to the state of the upload that brought it.
FILE_TELLS_MORE = {"missing": "missing: storage lost its bytes", "deleted": "in the trash"}
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
        facts += [("revision", file["revision"])] if "revision" in file else []
        if file["status"] in FILE_TELLS_MORE:
            until = f" until {file['deletedUntil']}" if "deletedUntil" in file else ""
            facts.append(("file", FILE_TELLS_MORE[file["status"]] + until))
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
@click.option(
    "--sort",
    type=click.Choice(["created", "name", "size"]),
    default="created",
    show_default=True,
    help="Newest first, names from A to Z, or largest first.",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["pending", "stored", "rejected", "expired", "missing"]),
    help="Only these; may be given several times.",
)
@click.option("--trash", is_flag=True, help="What is in the trash.")
@filter_options
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many."
)
@click.option("--all", "everything", is_flag=True, help="Every file, however many.")
@as_json_option
@pass_context
def ls(context: Context, /, filters: Filters, limit: int, everything: bool, **how: Any) -> None:
    """List your files, newest first.

    In a pipe: id, status, size in bytes, time of creation and name (after its folder), separated
    by tabs; with --trash, also until when a file can be restored.

    \b
    hoist ls --type 'image/*' --from 7d --sort size
    hoist ls --folder photos/ --min-size 10MB
    """
    filters |= {"sort": ORDERS[how["sort"], how["reverse"]]}
    if how["statuses"]:
        filters |= {"status": how["statuses"]}
    if how["trash"]:
        if how["statuses"]:
            raise click.UsageError("--trash and --status exclude each other")
        filters |= {"status": "deleted"}
    with context.client() as client:
        if everything:
            files, more = list(client.iterate(**filters)), None
        else:
            files, more = _some(client, limit, filters)
    if how["as_json"]:
        print_json({"files": files, "nextCursor": more})
        return
    headings = ("ID", "STATUS", "SIZE", "CREATED", "NAME", *(["UNTIL"] if how["trash"] else []))
    print_rows(headings, [_row(file, in_trash=how["trash"]) for file in files])
    if more:
        say("There are more: --all shows every file.")


def _some(client: Client, limit: int, filters: Filters) -> tuple[list[File], str | None]:
    """The first *limit* files, from as many pages as they take, and the cursor after them."""
    files: list[File] = []
    more: str | None = None
    while True:
        page = client.list(min(limit - len(files), PAGE_MAX), more, **filters)
        files += page["files"]
        more = page["nextCursor"]
        if more is None or len(files) >= limit:
            return files, more


def _row(file: File, *, in_trash: bool) -> tuple[object, ...]:
    cells = file["fileId"], file["status"], file["size"], file["createdAt"], shown_path(file)
    return (*cells, file.get("deletedUntil", "")) if in_trash else cells
