"""What people see of the stack."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from emulation.native.stack import Stack

console = Console(stderr=True, highlight=False)
STATES = {"ready": "green", "starting": "yellow", "waiting": "dim", "stopped": "dim"}


def note(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def problem(text: str) -> None:
    console.print(text, style="red", markup=False, soft_wrap=True)


def progress(service: dict[str, Any]) -> None:
    console.print(f"  [green]✓[/] {service['name']:<16} {service['seconds']:>5} s")


def table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        note("the stack is down; start it with: make up")
        return
    grid = Table("service", "state", "pid", "port", "up", "restarts", "last exit", box=None)
    for row in rows:
        age = f"{time.time() - row['since']:.0f} s" if row["pid"] and row["since"] else ""
        cells = [row["pid"], row["port"], age, row["restarts"], row["lastExit"]]
        style = STATES.get(row["state"], "red")
        texts = ["" if cell is None else str(cell) for cell in cells]
        grid.add_row(row["name"], f"[{style}]{row['state']}[/]", *texts)
    Console().print(grid)


def store_words(settings: Mapping[str, str]) -> str:
    """Where it is; a password is for ``make status O=env`` to tell."""
    if endpoint := settings.get("AWS_ENDPOINT_URL_DYNAMODB"):
        return f"DynamoDB at {endpoint}"
    return re.sub(r":[^/@]+@", "@", settings["HOIST_STORE"])


def welcome(stack: Stack, *, is_new: bool) -> None:
    settings = stack.settings()
    gateways = settings["HOIST_URL"].split(",")
    grid = Table(box=None, show_header=False, padding=(0, 2))
    grid.add_row("gateways", "  ".join(gateways))
    grid.add_row("API docs", f"{gateways[0]}/docs")
    admin = f"http://127.0.0.1:{stack.ports['admin']}"
    grid.add_row("admin API", f"{admin}/docs  (root/root)")
    grid.add_row("issuer", settings["HOIST_ISSUER"])
    grid.add_row("S3, SQS", settings["AWS_ENDPOINT_URL"] + "  (LocalStack: on all interfaces)")
    grid.add_row("store", store_words(settings))
    grid.add_row(
        "Kafka, Redis", f"{settings['HOIST_KAFKA_BOOTSTRAP']}  {settings['HOIST_REDIS_URL']}"
    )
    grid.add_row("logins", "ada/ada (basic)  grace/grace (premium)  root/root (admin)")
    console.print()
    console.print("[bold green]Hoist is up[/]" + ("" if is_new else ", and was before"))
    console.print(grid)
    console.print("Each start is a clean one: nothing is kept from the last.", style="dim")
    console.print()
    console.print("Next:  [bold]make demo[/]   one file, all the way, hop by hop")
    console.print("       [bold]make status[/]  [bold]make logs[/]  [bold]make down[/]")
