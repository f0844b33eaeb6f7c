"""hoist completion: what a shell runs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hoist.cli.problems import Failure


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    Example: eval "$(hoist completion bash)"
    """
    completer = get_completion_class(shell)
    if completer is None:
        raise Failure(f"no completion for {shell}")
    root = context.find_root()
    click.echo(completer(root.command, {}, "hoist", "_HOIST_COMPLETE").source())
