"""What must hold before anything starts; each refusal says how to go on."""

from __future__ import annotations

import resource
import shutil
import socket
import tempfile
from pathlib import Path

import psutil

from emulation.faults import clock
from emulation.native import engines, not_root
from emulation.native.ports import PORT_BASE_MAX, Ports

DISK_BYTES_MIN = 1 * 1024**3
MEMORY_BYTES_MIN = 2 * 1024**3


class NotFit(Exception):
    """The machine cannot run the stack now; the message says why and what to change."""


def check_directory(directory: Path) -> None:
    """Make *directory*. Raises ``NotFit`` when it cannot be written to."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise NotFit(
            f"cannot write to {directory} ({reason}): mend that, or choose another place: "
            f"STACK_DIR=/tmp/hoist make up"
        ) from error


def check(ports: Ports, directory: Path, *, is_skewable: bool = False) -> None:
    """Raises ``NotFit``; raises this process's limit of open files as far as it may go."""
    for name, port in ports.by_name.items():
        if not _is_free(port):
            other = ports.base + (1000 if ports.base + 1000 <= PORT_BASE_MAX else -1000)
            raise NotFit(
                f"port {port} ({name}) is taken by {_holder(port)}: stop it, "
                f"or move all our ports: make up PORT_BASE={other}"
            )
    _check_store(ports.store)
    if is_skewable:
        _check_clocks()
    if shutil.disk_usage(directory).free < DISK_BYTES_MIN:
        raise NotFit(f"less than 1 GiB is free under {directory}: delete something first")
    if psutil.virtual_memory().available < MEMORY_BYTES_MIN:
        raise NotFit("less than 2 GiB of memory is available: close something first")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _check_store(store: str) -> None:
    """Whether this machine can run the chosen one."""
    if store == "dynamodb" and engines.MACHINE == ("Linux", "aarch64"):
        raise NotFit(
            "DynamoDB Local has nothing for Linux on ARM: "
            "make up STORE=sqlite, or make up STORE=postgres"
        )
    if store == "postgres" and engines.MACHINE not in engines.POSTGRES_BINARIES:
        raise NotFit(
            f"there is no PostgreSQL for {' '.join(engines.MACHINE)}: make up STORE=sqlite"
        )
    if store == "postgres" and not not_root.is_possible():
        raise NotFit(
            "PostgreSQL does not run as root, and setpriv cannot make it somebody else here: "
            "use another user, or make up STORE=sqlite"
        )


def _check_clocks() -> None:
    try:
        clock.preload()
    except clock.NoFaketime as error:
        raise NotFit(str(error)) from error


def _is_free(port: int) -> bool:
    with socket.socket() as caller:
        # Where a socket may share a port with one that listens on all interfaces, binding tells
        # nothing.
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr[1:] == (port,) and connection.pid:
                process = psutil.Process(connection.pid)
                return f"pid {process.pid} ({' '.join(process.cmdline())[:80]})"
    except psutil.Error:
        pass
    return "a process of another user"
