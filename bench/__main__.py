"""``python -m bench [NAME ...]``: a line for each row of docs/performance.md, then all as a table.

Both sides of each ratio are measured here, in turn, on the running stack, which is left as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import click

from bench import (
    growth,
    idle,
    listing,
    lists,
    models,
    priority,
    quiet,
    sockets,
    stored,
    time_to_url,
    token_check,
    upload_cpu,
    urls,
    whole_path,
)
from bench.row import Row, table
from bench.target import Target
from bench.warm_up import warm_up
from emulation.native.ports import port_base, settings, stack_dir
from emulation.native.stack import Stack

BENCHES: dict[str, Callable[[Target], list[Row]]] = {
    "4KB": partial(whole_path.run, name="4KB"),
    "1MB": partial(whole_path.run, name="1MB"),
    "100MB": partial(whole_path.run, name="100MB"),
    "cpu": upload_cpu.against_floor,
    "cpu-size": upload_cpu.of_large_and_small,
    "urls": urls.run,
    "time-to-url": time_to_url.run,
    "stored": stored.run,
    "messages": sockets.messages,
    "connects": sockets.connects,
    "idle": idle.run,
    "quiet": quiet.run,
    "list": listing.run,
    "lists": lists.run,
    "users": growth.users,
    "parts": growth.parts,
    "token": token_check.run,
    "models": models.run,
    "priority": priority.run,
}
# Their floor has a table of DynamoDB.
OF_DYNAMODB = {"cpu"}
# Bounded by engines that become fast only while they work.
OF_ENGINES = set(BENCHES) - {"100MB", "messages", "connects", "idle", "quiet", "token", "models"}


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--pairs", default=5, show_default=True, help="How often both sides run.")
@click.option("--scale", default=1.0, show_default=True, help="Of all counts; small is quick.")
@click.option("--minutes", default=1.0, show_default=True, help="How long idle sockets stay.")
def main(names: tuple[str, ...], pairs: int, scale: float, minutes: float) -> None:
    running = Stack(port_base(), stack_dir())
    ports = running.running_ports()
    if not ports:
        raise click.ClickException("the stack is down; start it with: make up")
    environment = dict(os.environ) | settings(ports, stack_dir())
    os.environ.update(environment)
    pids = {service["name"]: service["pid"] for service in running.status()}
    target = Target(environment, pids, pairs=pairs, scale=scale, minutes=minutes)
    chosen = _possible(names or tuple(BENCHES), ports.store)
    if OF_ENGINES & set(chosen):
        warm_up(target)
    rows = [row for name in chosen for row in told(target, name)]
    click.echo("\n" + table(rows))


def _possible(names: tuple[str, ...], store: str) -> list[str]:
    """Those of *names* that say something with this *store*."""
    left_out = OF_DYNAMODB & set(names) if store != "dynamodb" else set()
    if left_out == set(names):
        raise click.ClickException(f"{', '.join(names)} needs the stack of: make up STORE=dynamodb")
    for name in sorted(left_out):
        click.echo(f"{name}: left out, it needs the stack of: make up STORE=dynamodb")
    return [name for name in names if name not in left_out]


def told(target: Target, name: str) -> list[Row]:
    """The rows of one bench, each told as soon as it is known; the stack is as it was then."""
    try:
        rows = BENCHES[name](target)
    finally:
        target.leave()
    for row in rows:
        click.echo(row.line())
    return rows


if __name__ == "__main__":
    main()
