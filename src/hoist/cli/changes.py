"""hoist rm, restore, mv, publish, unpublish: what an owner does to stored files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from hoist.cli.context import Context, pass_context
from hoist.cli.outcomes import Outcome, report
from hoist.client import Client, HoistProblem

ids_argument = click.argument("file_ids", metavar="ID...", nargs=-1, required=True)
if_revision_option = click.option(
    "--if-revision",
    type=click.IntRange(0),
    metavar="N",
    help="Only if the file still is at this revision (see `hoist status ID`).",
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")


@click.command()
@ids_argument
@click.option("--permanently", is_flag=True, help="Not into the trash: gone for good, at once.")
@click.option("--yes", is_flag=True, help="Do not ask whether --permanently is meant.")
@if_revision_option
@as_json_option
@pass_context
def rm(
    context: Context,
    file_ids: tuple[str, ...],
    permanently: bool,
    yes: bool,
    if_revision: int | None,
    as_json: bool,
) -> None:
    """Put files into the trash; `hoist restore` takes them out again.

    \b
    hoist rm 7d0c…
    hoist rm --permanently --yes 7d0c…
    """
    _check_one(file_ids, if_revision)
    if permanently and not yes:
        _ask(len(file_ids))

    def change(client: Client, file_id: str) -> Mapping[str, Any]:
        file = client.delete(file_id, permanently=permanently, if_revision=if_revision)
        return file or {"fileId": file_id}

    report(_each(context, file_ids, change), as_json=as_json)


@click.command()
@ids_argument
@as_json_option
@pass_context
def restore(context: Context, file_ids: tuple[str, ...], as_json: bool) -> None:
    """Take files out of the trash; `hoist ls --trash` lists it."""
    outcomes = _each(context, file_ids, lambda client, file_id: client.restore(file_id))
    report(outcomes, as_json=as_json)


@click.command()
@click.argument("file_id", metavar="ID")
@click.argument("new", metavar="NEW")
@if_revision_option
@as_json_option
@pass_context
def mv(context: Context, file_id: str, new: str, if_revision: int | None, as_json: bool) -> None:
    """Give a file another name, another folder, or both.

    \b
    hoist mv 7d0c… b.jpg              another name, in the same folder
    hoist mv 7d0c… photos/2026/b.jpg  another name and folder
    hoist mv 7d0c… photos/2026/       the same name in another folder
    hoist mv 7d0c… /b.jpg             in no folder; / alone keeps the name
    """
    name, folder = destination(new)

    def change(client: Client, file_id: str) -> Mapping[str, Any]:
        return client.change(file_id, name=name, folder=folder, if_revision=if_revision)

    report(_each(context, [file_id], change), as_json=as_json)


@click.command()
@ids_argument
@if_revision_option
@as_json_option
@pass_context
def publish(
    context: Context, file_ids: tuple[str, ...], if_revision: int | None, as_json: bool
) -> None:
    """Let anybody download files; prints the address of each.

    `hoist unpublish` ends that. For a link that ends by itself, see `hoist share`.
    """
    _check_one(file_ids, if_revision)

    def change(client: Client, file_id: str) -> Mapping[str, Any]:
        file = client.change(file_id, visibility="public", if_revision=if_revision)
        return {**file, "url": client.public_url(file_id)}

    outcomes = _each(context, file_ids, change)
    report(outcomes, as_json=as_json, headings=("URL",), row=lambda file: (file["url"],))


@click.command()
@ids_argument
@if_revision_option
@as_json_option
@pass_context
def unpublish(
    context: Context, file_ids: tuple[str, ...], if_revision: int | None, as_json: bool
) -> None:
    """Make public files private again; links made with `hoist share` stay."""
    _check_one(file_ids, if_revision)

    def change(client: Client, file_id: str) -> Mapping[str, Any]:
        return client.change(file_id, visibility="private", if_revision=if_revision)

    report(_each(context, file_ids, change), as_json=as_json)


def destination(new: str) -> tuple[str | None, str | None]:
    """The name and the folder that *new* asks for; None for what stays as it is."""
    if not new:
        raise click.UsageError("NEW is empty")
    folder, slash, name = new.rpartition("/")
    return name or None, folder.strip("/") if slash else None


def _each(
    context: Context,
    file_ids: Sequence[str],
    change: Callable[[Client, str], Mapping[str, Any]],
) -> list[Outcome]:
    """One that fails does not stop the others."""
    outcomes = []
    with context.client() as client:
        for file_id in dict.fromkeys(file_ids):
            try:
                outcomes.append(Outcome(file_id, change(client, file_id)))
            except HoistProblem as problem:
                outcomes.append(Outcome(file_id, problem=problem))
    return outcomes


def _check_one(file_ids: Sequence[str], if_revision: int | None) -> None:
    if if_revision is not None and len(file_ids) != 1:
        raise click.UsageError("--if-revision belongs to one ID")


def _ask(count: int) -> None:
    """Ends the command unless somebody is there and means it."""
    if not sys.stdin.isatty():
        raise click.UsageError("--permanently needs --yes where nobody can be asked")
    what = "this file" if count == 1 else f"these {count} files"
    click.confirm(f"Delete {what} for good? There is no way back.", abort=True, err=True)
