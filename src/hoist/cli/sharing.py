"""hoist share, shares, unshare: links that let anybody download a file."""

from __future__ import annotations

import sys

import click

from hoist.cli.amounts import seconds_of
from hoist.cli.context import Context, pass_context
from hoist.cli.output import print_json, print_rows, printable, say
from hoist.client import Share

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.command()
@click.argument("file_id", metavar="ID")
@click.option(
    "--expires",
    "expires_seconds",
    type=seconds_of,
    metavar="SPAN",
    help="How long the link works: 30m, 12h, 7d  [default: until `hoist unshare`]",
)
@click.option("--password", "asks", is_flag=True, help="Ask for a password that it shall need.")
@click.option("--password-stdin", "reads", is_flag=True, help="Read that password from stdin.")
@click.option(
    "--max-downloads",
    "downloads_max",
    type=click.IntRange(1),
    metavar="N",
    help="How often it works.",
)
@as_json_option
@pass_context
def share(
    context: Context,
    file_id: str,
    expires_seconds: int | None,
    asks: bool,
    reads: bool,
    downloads_max: int | None,
    as_json: bool,
) -> None:
    """Make a link that lets anybody download a file; prints it.

    \b
    hoist share 7d0c… --expires 7d --max-downloads 5
    hoist share 7d0c… --password
    """
    if asks and reads:
        raise click.UsageError("--password and --password-stdin exclude each other")
    password = _password(asks=asks) if asks or reads else None
    with context.client() as client:
        made = client.share(
            file_id,
            expires_seconds=expires_seconds,
            password=password,
            downloads_max=downloads_max,
        )
    if as_json:
        print_json(made)
    else:
        click.echo(printable(made["url"]))


@click.command()
@click.argument("file_id", metavar="[ID]", required=False)
@as_json_option
@pass_context
def shares(context: Context, file_id: str | None, as_json: bool) -> None:
    """List your links, or those of one file, the ended ones too.

    In a pipe: link id, state, downloads, the most of them, when it ends, "password" if it needs
    one, file id and address, separated by tabs.
    """
    with context.client() as client:
        found = client.shares(file_id)
    if as_json:
        print_json({"shares": found})
        return
    headings = ("LINK", "STATE", "DOWNLOADS", "OF", "ENDS", "NEEDS", "FILE", "URL")
    print_rows(headings, [_row(item) for item in found])


@click.command()
@click.argument("share_id", metavar="LINK")
@pass_context
def unshare(context: Context, share_id: str) -> None:
    """End a link now; LINK is its id in `hoist shares`."""
    with context.client() as client:
        client.revoke(share_id)
    say(f"Ended {printable(share_id)}.")


def _password(*, asks: bool) -> str:
    """Never from the command line, where every process of the machine can read it."""
    if asks:
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise click.UsageError("--password-stdin found no password on stdin")
    return given


def _row(item: Share) -> tuple[object, ...]:
    return (
        item["shareId"],
        item["state"],
        item["downloads"],
        item.get("downloadsMax") or "",
        item.get("expiresAt") or "",
        "password" if item["hasPassword"] else "",
        item["fileId"],
        item["url"],
    )
