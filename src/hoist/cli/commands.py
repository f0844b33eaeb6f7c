"""The command and its options; every subcommand is added here."""

from __future__ import annotations

import importlib

import click

from hoist.cli.changes import mv, publish, restore, rm, unpublish
from hoist.cli.context import Context
from hoist.cli.download import download, open_
from hoist.cli.files import cancel, ls, status
from hoist.cli.history import history, timeline
from hoist.cli.login import login, logout, whoami
from hoist.cli.problems import TellingGroup
from hoist.cli.sharing import share, shares, unshare
from hoist.cli.shells import completion
from hoist.cli.upload import upload
from hoist.cli.watch import watch

OPERATORS = ("admin", "doctor")
EPILOG = """\b
Exit codes:
  0  done
  1  refused or failed
  2  wrong usage
  3  not logged in
  4  nothing answers
  5  some of the files failed
  130  interrupted

Data goes to stdout, everything else to stderr."""


class _Commands(TellingGroup):
    """With those of operators, which bring the whole service along, only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *OPERATORS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OPERATORS:
            module = importlib.import_module(f"hoist.cli.{cmd_name}")
            command: click.Command = getattr(module, cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url",
    envvar="HOIST_URL",
    default="http://127.0.0.1:4500,http://127.0.0.1:4501",
    show_default=True,
    show_envvar=True,
    help="The gateways, comma separated; the next one is used when one fails.",
)
@click.option(
    "--issuer",
    envvar="HOIST_ISSUER",
    default="http://127.0.0.1:4503/",
    show_default=True,
    show_envvar=True,
    help="Who logs you in.",
)
@click.option(
    "--audience",
    envvar="HOIST_AUDIENCE",
    default="https://api.hoist.local",
    show_default=True,
    show_envvar=True,
    help="What the tokens are for.",
)
@click.version_option(package_name="hoist")
@click.pass_context
def main(context: click.Context, url: str, issuer: str, audience: str) -> None:
    """Upload files to Hoist, list, change and share them, and get them back."""
    context.obj = Context(url, issuer, audience)


for command in (
    *(login, logout, whoami, upload, watch, status, cancel, ls, download, open_),
    *(rm, restore, mv, publish, unpublish, share, shares, unshare, history, timeline),
    completion,
):
    main.add_command(command)
