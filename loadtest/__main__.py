"""Load on the running stack, by Locust: in a browser, or without one and with a verdict.

CLASSES are whom to start, by default everybody but the crowd. What follows -- goes to Locust.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from emulation.native.ports import PORT_BASE_DEFAULT
from loadtest import place

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
# Behind the stack's base: the page, and where the processes of a run meet.
PAGE, MEETING = 89, 57
PEOPLE = ("BasicUploader", "PremiumUploader", "Resumer", "Lister", "Sharer", "Abuser")
STOP_SECONDS = "60"


@click.command(help=__doc__)
@click.argument("classes", nargs=-1)
@click.option("--headless", is_flag=True, help="No browser: run once, judge, exit.")
@click.option("--shape", default="Ramp", show_default=True, help="Which; only with --headless.")
@click.option("--users", type=click.IntRange(1), default=20, show_default=True)
@click.option("--spawn-rate", type=float, default=5.0, show_default=True, help="Users a second.")
@click.option("--run-time", default="60s", show_default=True)
@click.option("--processes", type=int, default=0, help="Processes that make load; -1: each core.")
@click.option("--reports", default="reports/loadtest", show_default=True, type=click.Path())
@click.option("--port", type=int, help="Of the page. [default: the stack's base and 89]")
def main(
    classes: tuple[str, ...],
    headless: bool,
    shape: str,
    users: int,
    spawn_rate: float,
    run_time: str,
    processes: int,
    reports: str,
    port: int | None,
) -> None:
    environment = place.environment()
    running = place.stack().running_ports()
    base = running.base if running else PORT_BASE_DEFAULT
    page = port or base + PAGE
    words = [
        *("--locustfile", str(LOCUSTFILE)),
        *("--host", environment["HOIST_URL"].split(",")[0]),
        *("--users", str(users), "--spawn-rate", str(spawn_rate), "--run-time", run_time),
        *("--stop-timeout", STOP_SECONDS, "--reports", reports),
    ]
    if processes:
        meeting = str(base + MEETING)
        words += ["--processes", str(processes), "--master-bind-host", "127.0.0.1"]
        words += ["--master-bind-port", meeting, "--master-port", meeting]
    if headless:
        Path(reports).mkdir(parents=True, exist_ok=True)
        words += ["--headless", "--only-summary", "--shape", shape]
        words += ["--csv", f"{reports}/stats", "--csv-full-history"]
        words += ["--html", f"{reports}/report.html"]
    else:
        words += ["--class-picker", "--web-host", "127.0.0.1", "--web-port", str(page)]
        click.echo(f"the page: http://127.0.0.1:{page}")
    if headless and not any(word[0].isupper() for word in classes):
        words += PEOPLE
    words += classes
    os.environ.update(environment)
    os.execv(sys.executable, [sys.executable, "-m", "locust", *words])


if __name__ == "__main__":
    main()
