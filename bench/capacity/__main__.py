"""``python -m bench.capacity [--users N]``: what N users need, cost, and break first."""

from __future__ import annotations

import argparse
from types import ModuleType

from bench.capacity import aws, costs, people, tables

INPUTS: dict[str, ModuleType] = {"costs": costs, "people": people, "aws": aws}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--users", type=_users, action="append", help="may be given several times")
    parser.add_argument("--inputs", choices=INPUTS, help="the figures it is computed from, instead")
    given = parser.parse_args()
    if given.inputs:
        print(tables.inputs(INPUTS[given.inputs]))
        return
    sizes = given.users or tables.SIZES
    told = [tables.needed(sizes), tables.broken(sizes), tables.one_user(), tables.paid(sizes)]
    print("\n\n".join(told))


def _users(text: str) -> int:
    users = int(text.replace("_", ""))
    if users < 1:
        raise argparse.ArgumentTypeError("at least one")
    return users


if __name__ == "__main__":
    main()
