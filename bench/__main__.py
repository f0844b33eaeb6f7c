"""``python -m bench [NAME ...]``: each prints one line, both sides of its ratio measured here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from bench import priority, whole_path
from emulation.native.ports import Ports, port_base, settings, stack_dir

BENCHES: dict[str, Callable[[Mapping[str, str]], str]] = {
    "4KB": lambda environment: whole_path.run(environment, "4KB", 4_096, 64),
    "1MB": lambda environment: whole_path.run(environment, "1MB", 1_000_000, 32),
    "priority": priority.run,
}


def main() -> None:
    names = sys.argv[1:] or list(BENCHES)
    if unknown := set(names) - BENCHES.keys():
        raise SystemExit(f"no bench called {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    environment = settings(Ports(port_base()), stack_dir())
    for name in names:
        print(BENCHES[name](environment))


if __name__ == "__main__":
    main()
