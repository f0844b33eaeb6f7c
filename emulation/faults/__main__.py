"""``python -m emulation.faults``: forward ports, with faults that come and go over HTTP."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence

import click

from emulation.faults.answers import ANSWERS
from emulation.faults.control import Control
from emulation.faults.target import Route, Target

logger = logging.getLogger(__name__)
PROTOCOLS = (*ANSWERS, "tcp")


class RouteType(click.ParamType[Route]):
    name = "route"

    def convert(self, value: str, param: object, ctx: object) -> Route:
        try:
            name, protocol, listen, forward = value.split(":")
            route = Route(name, protocol, int(listen), int(forward))
        except ValueError:
            self.fail(f"{value!r} is not NAME:PROTOCOL:PORT:PORT")
        if protocol not in PROTOCOLS:
            self.fail(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
        return route


@click.command(help=__doc__)
@click.option("--control", required=True, type=int, metavar="PORT", help="Where it is told what.")
@click.argument("routes", nargs=-1, required=True, type=RouteType())
def main(control: int, routes: tuple[Route, ...]) -> None:
    """Each route is NAME:PROTOCOL:PORT:PORT, from the first port to the second."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(serve(control, routes))


async def serve(control: int, routes: Sequence[Route]) -> None:
    """Until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    targets = {route.name: Target(route) for route in routes}
    for target in targets.values():
        await target.open()
    await Control(targets).open(control)
    logger.info("forwarding %s", ", ".join(targets))
    await stopping.wait()


if __name__ == "__main__":
    main(prog_name="python -m emulation.faults")
