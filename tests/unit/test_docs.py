"""Docs name only what exists: settings, make targets, commands and files."""

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.config import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_the_docs_exists(page):
    targets = set(re.findall(r"`make ([a-z]+)|^make ([a-z]+)", page.read_text(), flags=re.M))
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {first or second for first, second in targets} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_hoist_command_in_the_docs_has_help(page):
    names = set(re.findall(r"^(?:\.venv/bin/)?hoist ([a-z]+)", page.read_text(), flags=re.M))
    for name in names:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_settings_page_lists_every_setting_and_no_other():
    text = (ROOT / "docs" / "settings.md").read_text()
    listed = re.findall(r"^\| `HOIST_([A-Z0-9_]+)`", text, flags=re.M)
    assert sorted(listed) == sorted(field.name.upper() for field in fields(Settings))


def test_make_alone_prints_its_targets():
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = "setup up down restart status logs doctor demo test lint bench clean"
    for target in targets.split():
        assert f"make {target} " in told


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"HOIST_BUKET": "x"}, "unknown setting: HOIST_BUKET"),
        ({}, "missing setting: HOIST_AUDIENCE"),
    ],
)
def test_wrong_settings_are_refused_by_name(environment, said):
    with pytest.raises(SystemExit, match=said):
        Settings.from_env(environment)
