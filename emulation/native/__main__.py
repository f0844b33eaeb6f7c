"""``python -m emulation.native``: the verbs behind make up, down, status, logs and doctor."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from emulation.native import logs as log_stream
from emulation.native import probes, screen
from emulation.native.ports import Ports, port_base, stack_dir
from emulation.native.preflight import NotFit
from emulation.native.services import table
from emulation.native.stack import Stack, StackFailed
from emulation.native.supervisor import Supervisor


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
def up() -> None:
    """Start everything; harmless when it runs already."""
    stack = Stack(port_base(), stack_dir())
    try:
        is_new = stack.up(screen.progress)
    except (StackFailed, NotFit) as error:
        screen.problem(str(error))
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        screen.problem("stopped; nothing is left running. Start again with: make up")
        raise SystemExit(130) from None
    screen.welcome(stack, is_new=is_new)


@main.command()
def down() -> None:
    """Stop everything."""
    screen.note("stopped" if Stack(port_base(), stack_dir()).down() else "nothing was running")


@main.command()
@click.option("-o", "form", type=click.Choice(["table", "json", "env"]), default="table")
def status(form: str) -> None:
    """What runs. Exits 1 when something does not."""
    stack = Stack(port_base(), stack_dir())
    if form == "env":
        for name, value in stack.settings().items():
            click.echo(f"export {name}={shlex.quote(value)}")
        return
    rows = stack.status()
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        screen.table(rows)
    sys.exit(0 if rows and all(row["state"] == "ready" for row in rows) else 1)


@main.command()
@click.argument("services", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option("-n", "--lines", default=200, help="How many of the past.")
@click.option("--grep", default="", help="Only lines with this text.")
@click.option("--trace", default="", help="Only lines of this trace id.")
def logs(services: tuple[str, ...], follow: bool, lines: int, grep: str, trace: str) -> None:
    """One stream of every service's log, in the order of time."""
    log_stream.show(stack_dir() / "logs", services, follow, lines, grep or trace)


@main.command()
def doctor() -> None:
    """Use every service as we do, and say what is wrong."""
    stack = Stack(port_base(), stack_dir())
    running: dict[str, Any] = {row["name"]: row for row in stack.status()}
    if not running:
        screen.problem("the stack is down; start it with: make up")
        raise SystemExit(1)
    is_well = True
    for service in table(Ports(port_base()), stack_dir()):
        try:
            log = stack_dir() / "logs" / f"{service.name}.log"
            probes.of(service.name)(stack.settings() | dict(service.env), log)
        except Exception as error:
            is_well = False
            screen.problem(f"{service.name}: {error!r}; see: make logs S={service.name}")
        else:
            screen.note(f"{service.name}: well")
    sys.exit(0 if is_well else 1)


@main.command(hidden=True)
def supervise() -> None:
    """The supervisor itself; `up` starts it."""
    directory: Path = stack_dir()
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "supervisor.lock").open("a+")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    raise SystemExit(Supervisor(Ports(port_base()), directory).run())


if __name__ == "__main__":
    main(prog_name="python -m emulation.native")
