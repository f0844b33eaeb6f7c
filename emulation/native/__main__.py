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
from emulation.native.ports import (
    PORT_BASE_DEFAULT,
    STORE_DEFAULT,
    Ports,
    given_port_base,
    given_store,
    is_faulty,
    is_skewable,
    port_base,
    stack_dir,
    store,
)
from emulation.native.preflight import NotFit
from emulation.native.services import ADMIN, ENGINES, GATEWAYS, WORKERS, Service, table
from emulation.native.stack import Stack, StackFailed
from emulation.native.supervisor import Supervisor


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
def up() -> None:
    """Start everything; harmless when it runs already."""
    stack = _stack()
    try:
        is_new = stack.up(screen.progress)
    except (StackFailed, NotFit) as error:
        screen.problem(str(error))
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        if stack.is_running():
            screen.problem("the stack goes on without you; stop it with: make down")
        else:
            screen.problem("stopped; nothing is left running. Start again with: make up")
        raise SystemExit(130) from None
    screen.welcome(stack, is_new=is_new)


@main.command()
def down() -> None:
    """Stop everything."""
    stack = Stack(PORT_BASE_DEFAULT, stack_dir())
    screen.note("stopped" if stack.down() else "nothing was running")


@main.command()
@click.option("-o", "form", type=click.Choice(["table", "json", "env"]), default="table")
def status(form: str) -> None:
    """What runs. Exits 1 when something does not."""
    stack = _stack()
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
@click.option("-n", "--lines", default=200, type=click.IntRange(0), help="How many of the past.")
@click.option("--grep", default="", help="Only lines with this text.")
@click.option("--trace", default="", help="Only lines of this trace id.")
def logs(services: tuple[str, ...], follow: bool, lines: int, grep: str, trace: str) -> None:
    """One stream of every service's log, in the order of time."""
    known = (*ENGINES, *GATEWAYS, ADMIN, *WORKERS, "supervisor")
    for name in services:
        if name not in known:
            screen.problem(f"there is no service {name!r}; these are: {', '.join(known)}")
            raise SystemExit(2)
    if not (stack_dir() / "logs").exists():
        screen.problem("there are no logs yet; start the stack with: make up")
        raise SystemExit(1)
    log_stream.show(stack_dir() / "logs", services, follow, lines, grep or trace)


@main.command()
def doctor() -> None:
    """Use every service as we do, and say what is wrong. Their data: `hoist doctor`."""
    stack = _stack()
    running: dict[str, Any] = {row["name"]: row for row in stack.status()}
    if not running:
        screen.problem("the stack is down; start it with: make up")
        raise SystemExit(1)
    problems = 0
    for service in table(stack.ports, stack.directory):
        if problem := _problem(stack, service, running[service.name]["state"]):
            problems += 1
            screen.problem(f"{service.name}: {problem}; see: make logs S={service.name}")
        else:
            screen.note(f"{service.name}: well")
    if not problems:
        screen.note("whether what they keep agrees: hoist doctor")
    sys.exit(1 if problems else 0)


@main.command("port-base", hidden=True)
def show_port_base() -> None:
    """For make: where the stack is, or would be."""
    click.echo(_stack().ports.base)


@main.command("store", hidden=True)
def show_store() -> None:
    """For make: which store the stack has, or would have."""
    click.echo(_stack().ports.store)


@main.command(hidden=True)
def supervise() -> None:
    """The supervisor itself; `up` starts it."""
    directory: Path = stack_dir()
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "supervisor.lock").open("a+")
    fcntl.flock(lock, fcntl.LOCK_EX)  # waits a moment when somebody looks whether we are there
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    ports = Ports(port_base(), store(), is_faulty())
    raise SystemExit(Supervisor(ports, directory, is_skewable=is_skewable()).run())


def _stack() -> Stack:
    """As the caller says, else as it runs, else as it is by default."""
    try:
        base, chosen = given_port_base(), given_store()
    except ValueError as error:
        screen.problem(str(error))
        raise SystemExit(2) from None
    running = Stack(PORT_BASE_DEFAULT, stack_dir()).running_ports()
    if running:
        _refuse_another("PORT_BASE", base, running.base)
        _refuse_another("STORE", chosen, running.store)
        return Stack(running.base, stack_dir(), running.store, faulty=running.is_faulty)
    return Stack(base or PORT_BASE_DEFAULT, stack_dir(), chosen or STORE_DEFAULT)


def _refuse_another(name: str, given: int | str | None, running: int | str) -> None:
    if given not in (None, running):
        screen.problem(
            f"the stack of this folder runs with {name}={running}, not {given}: "
            f"leave {name} out to use it, or stop it first: make down"
        )
        raise SystemExit(1)


def _problem(stack: Stack, service: Service, state: str) -> str | None:
    """Why *service* cannot be used, or None."""
    if state != "ready":
        return f"it is {state}"
    log = stack.directory / "logs" / f"{service.name}.log"
    try:
        probes.of(service.name)(dict(service.env) | stack.direct(), log)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    main(prog_name="python -m emulation.native")
