"""The native stack on each SQL store, whole; and which choices are refused, in which words."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from emulation.native import engines, not_root
from emulation.native.ports import STORES, Ports, settings
from emulation.native.preflight import NotFit, check
from emulation.native.screen import store_words
from emulation.native.stack import Stack, StackFailed
from hoist.adapters.sql import SqlMetadata
from hoist.adapters.sql_database import connect
from hoist.domain.model import FileRecord, file_id
from tests.integration.test_native import (
    OTHER_BASE,
    PATIENCE_SECONDS,
    ROOT,
    alive,
    clean,
    native,
    processes_of,
    until,
)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_stack_on_it_stores_and_lists_a_file_and_leaves_nothing(tmp_path, store):
    stack, at = Stack(OTHER_BASE, tmp_path, store), {"STACK_DIR": str(tmp_path)}
    try:
        stack.up()
        assert {row["name"] for row in stack.status()} & set(STORES) == {store} - {"sqlite"}
        assert "It is the file that was sent." in demo(stack)
        doctor = native("doctor", **at)
        assert doctor.returncode == 0, doctor.stderr
        if store == "postgres":  # one adapter for both, whose contracts are tested on each
            agree(stack)
        else:
            check_bench(stack)
        assert native("store", **at).stdout == f"{store}\n"
        refused = native("status", STACK_STORE="dynamodb", **at)
        assert refused.returncode == 1
        assert f"runs with STORE={store}, not dynamodb" in refused.stderr
        with pytest.raises(StackFailed, match=f"runs already, with .* STORE={store}"):
            Stack(OTHER_BASE, tmp_path).up()
        everything = processes_of(tmp_path)
        everything |= {child for one in everything for child in one.children(recursive=True)}
    finally:
        stack.down()
    until(lambda: not alive(everything))


def demo(stack: Stack) -> str:
    """What it tells: an upload, hop by hop, a download, and the list."""
    told = module(stack, "emulation.demo")
    assert told.returncode == 0, told.stderr
    return told.stdout


def check_bench(stack: Stack) -> None:
    """It measures the store that runs, and says which row needs another."""
    told = module(stack, "bench", "--pairs=1", "--scale=0.02", "cpu", "urls")
    assert told.returncode == 0, told.stderr
    assert "cpu: left out, it needs the stack of: make up STORE=dynamodb" in told.stdout
    assert "urls: URLs a second" in told.stdout
    refused = module(stack, "bench", "cpu")
    assert refused.returncode == 1
    assert "cpu needs the stack of: make up STORE=dynamodb" in refused.stderr


def module(stack: Stack, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``python -m name`` as somebody in the folder of *stack* runs it."""
    place = {"STACK_PORT_BASE": str(stack.ports.base), "STACK_DIR": str(stack.directory)}
    return subprocess.run(
        [sys.executable, "-m", name, *words],
        env=clean() | place,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def agree(stack: Stack) -> None:
    """hoist doctor says so, and notices a row that somebody else wrote, on this store as well."""

    def doctor() -> tuple[int, set[tuple[str, str]]]:
        told = subprocess.run(
            [sys.executable, "-c", "from hoist.cli import main; main()", "doctor", "--deep"],
            env=clean() | stack.settings(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        cells = [line.split("\t") for line in told.stdout.splitlines()]
        return told.returncode, {(part, kind) for part, kind, *_ in cells}

    until(lambda: doctor() == (0, set()))
    with closing(SqlMetadata(connect(stack.settings()["HOIST_STORE"]))) as store:
        row = next(row for row in store.scan() if isinstance(row, FileRecord))
        assert store.write([(replace(row, file_id=file_id(row.user_id, "x"), version=1),)])
    code, found = doctor()
    assert code == 1
    assert found >= {("rows", "duplicate"), ("log", "row_differs")}


def test_a_store_that_does_not_exist_is_refused_in_one_line(tmp_path):
    refused = native("up", STACK_STORE="mysql", STACK_DIR=str(tmp_path))
    assert refused.returncode == 2
    assert refused.stderr == "STORE must be dynamodb, postgres or sqlite, and is 'mysql'\n"


@pytest.mark.parametrize("store", STORES)
def test_only_the_chosen_store_has_a_port(store):
    assert Ports(OTHER_BASE, store).by_name.keys() & set(STORES) == {store} - {"sqlite"}


def test_a_password_is_told_to_machines_only(tmp_path):
    told = settings(Ports(OTHER_BASE, "postgres"), tmp_path)
    password = (tmp_path / "postgres-password").read_text()
    assert (tmp_path / "postgres-password").stat().st_mode & 0o077 == 0
    assert told["HOIST_STORE"].startswith(f"postgresql://hoist:{password}@127.0.0.1:")
    assert store_words(told) == f"postgresql://hoist@127.0.0.1:{OTHER_BASE + 32}/hoist"


@pytest.mark.parametrize(
    ("machine", "store", "advice"),
    [
        (("Linux", "aarch64"), "dynamodb", "make up STORE=sqlite, or make up STORE=postgres"),
        (("Linux", "riscv64"), "postgres", "make up STORE=sqlite"),
    ],
)
def test_a_machine_without_an_engine_is_told_what_it_can_have(
    tmp_path, monkeypatch, machine, store, advice
):
    monkeypatch.setattr(engines, "MACHINE", machine)
    with pytest.raises(NotFit, match=advice):
        check(Ports(OTHER_BASE, store), tmp_path)


def test_root_without_the_means_to_be_somebody_else_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(not_root.os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFit, match="does not run as root"):
        check(Ports(OTHER_BASE, "postgres"), tmp_path)
