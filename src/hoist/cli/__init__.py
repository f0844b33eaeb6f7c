"""The ``hoist`` command."""

from hoist.cli.commands import main

__all__ = ["main"]
