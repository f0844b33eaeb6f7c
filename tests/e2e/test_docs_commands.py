"""Every command the docs show is run as it stands, in the order shown, on the real stack.

A command that is added to a page is run from then on. What it needs comes from ``FILES``; an id
like ``7d0c…`` stands for a file that was uploaded before. A line like ``ID=$(hoist …)`` sets a
variable for the lines after it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from emulation.native.ports import PORT_BASE_DEFAULT, Ports

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PATIENCE_SECONDS = 120
FILES = {
    "notes.txt": b"remember the milk\n",
    "photos/one.jpg": b"\xff\xd8\xff" + b"1" * 5000,
    "photos/two.jpg": b"\xff\xd8\xff" + b"2" * 5000,
    "album/cover.jpg": b"\xff\xd8\xff" + b"3" * 5000,
    "album/2026/one.jpg": b"\xff\xd8\xff" + b"4" * 5000,
    "table.dat": b"name,size\nada,1\n",
    "backup.tar": b"0" * 10_240,
    "README.md": b"# Mine\n",
}
LOGIN = "hoist login --user ada --password ada"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.S)


def commands(block: str) -> list[str]:
    """Its lines, without comments."""
    lines = [re.sub(r"(^|\s+)#.*", "", line).strip() for line in block.splitlines()]
    return [line.replace(".venv/bin/", "") for line in lines if line]


def is_of_make(line: str) -> bool:
    return line.removeprefix('eval "$(').split()[0] == "make"


SHELL = {page.name: list(map(commands, blocks(page, "sh"))) for page in PAGES}
PYTHON = [block for page in PAGES for block in blocks(page, "python")]


class Person:
    """Somebody at a terminal: a folder with files, a home of their own, and a browser."""

    def __init__(self, settings: dict[str, str], home: Path) -> None:
        self.folder = home / "work"
        for name, body in FILES.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(body)
        ours = ("HOIST_", "AWS_", "STACK_")
        own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        where = ("HOIST_URL", "HOIST_ISSUER", "HOIST_AUDIENCE")
        self.env = own | {name: settings[name] for name in where}
        self.operator = {n: value for n, value in settings.items() if n.startswith(ours)}
        self.env |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "BROWSER": "echo %s",  # shows us the address; we are the browser
            "PYTHONUNBUFFERED": "1",
        }
        self.ports = Ports(int(settings["HOIST_ISSUER"].rstrip("/").rpartition(":")[2]) - 3)

    def here(self, text: str) -> str:
        """*text* with the addresses of this stack instead of the default ones."""
        default = Ports(PORT_BASE_DEFAULT).by_name
        for name, port in default.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        return text

    def upload(self, name: str) -> str:
        """Send a file that is not in the folder; returns its id."""
        sent = self.folder.parent / name
        sent.write_bytes(b"sent before\n")
        return self.run(f"hoist upload {sent}").split("\t")[0]

    def run(self, line: str) -> str:
        """What *line* prints; it must succeed. A variable that it sets is there from then on."""
        if assigns := re.fullmatch(r"([A-Z]+)=\$\((.*)\)", line):
            name, inner = assigns.groups()
            self.env[name] = self.run(inner).strip()
            assert self.env[name], f"{inner}: printed nothing"
            return ""
        return self.execute(["bash", "-c", f"set -o pipefail; {line}"], is_login_page(line))

    def execute(self, words: list[str], is_asked: bool = False) -> str:
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            # An operator's shell has what `make status O=env` told it.
            env=self.env | (self.operator if "hoist admin" in words[-1] else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if is_asked else subprocess.PIPE,
            text=True,
        )
        try:
            if is_asked:
                assert process.stdout
                told = iter(process.stdout.readline, "")
                log_in(next(line.strip() for line in told if line.startswith("http")))
            stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == 0, f"{words[-1]}: {process.returncode}\n{stdout}{stderr}"
        return stdout


def is_login_page(line: str) -> bool:
    """Whether *line* waits for a person in a browser."""
    return line.startswith("hoist login") and "--user" not in line


def log_in(url: str) -> None:
    """What a person does at the address they are shown."""
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        page = browser.get(url)
        hidden = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
        form = {**dict(hidden), "username": "ada", "password": "ada"}
        assert "You are logged in." in browser.post(str(page.url), data=form).text


def runnable(line: str) -> str:
    """*line*, or what is left of it on a machine without the shell it is meant for."""
    for shell in ("zsh", "fish"):
        if f"completion {shell}" in line:
            inner = f"hoist completion {shell}"
            feed = f"{inner} | {shell} --no-rcs" if shell == "zsh" else f"{inner} | fish"
            return feed if shutil.which(shell) else inner
    return line


@pytest.fixture
def person(stack, tmp_path) -> Person:
    return Person(stack.settings, tmp_path)


def has_more_than_make(page: str) -> bool:
    return any(not is_of_make(line) for block in SHELL[page] for line in block)


@pytest.mark.parametrize("page", [page for page in SHELL if has_more_than_make(page)])
def test_every_command_of_a_page_works_in_the_order_shown(person, page):
    ran = 0
    for block in SHELL[page]:
        person.run(LOGIN)  # a block that logs out must not spoil the next
        for line in block:
            if is_of_make(line):
                continue
            if "…" in line:
                line = re.sub(r"\b[0-9a-f]{4}…", person.upload(f"sent-{ran}.txt"), line)
            person.run(person.here(runnable(line)))
            ran += 1
    assert ran


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.splitlines()[0])
def test_every_python_block_runs(person, block):
    person.execute([sys.executable, "-W", "error", "-c", person.here(block)])
    assert (person.folder / "copy.txt").read_bytes() == FILES["notes.txt"]


def test_the_blocks_hold_nothing_but_make_and_hoist():
    lines = [line for found in SHELL.values() for block in found for line in block]
    assert [line for line in lines if not is_of_make(line) and "hoist" not in line] == []


def test_every_make_target_of_the_readme_is_run_by_ci():
    shown = re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.M)
    run = re.findall(r"^make ([a-z-]+)(?: [A-Z]+=.+)*$", (ROOT / ".ci" / "run").read_text(), re.M)
    run += re.findall(r"trap 'make ([a-z]+)'", (ROOT / ".ci" / "run").read_text())
    assert {first or second for first, second in shown} <= set(run)
