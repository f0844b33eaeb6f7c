"""The house rules that a reader relies on: who may import whom, and that the map is true."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOIST = ROOT / "src" / "hoist"
EVERYWHERE = {"hoist.telemetry", "hoist.domain.errors", "hoist"}
MAY_IMPORT = {
    "domain": {"domain"},
    "pipeline": {"domain", "pipeline"},
    "adapters": {"domain", "adapters", "config"},
    "wiring": {"domain", "pipeline", "adapters", "config", "wiring"},
    "lambdas": {"wiring", "domain", "lambdas", "pipeline"},
    "gateway": {"wiring", "domain", "gateway", "config", "pipeline"},
    "admin": {"admin", "gateway", "wiring", "domain", "config", "pipeline"},
    "workers": {"lambdas", "wiring", "domain", "workers"},
    "client": {"client", "domain"},
    "cli": {"client", "domain", "cli", "wiring", "pipeline", "config"},
    "config": {"config"},
    "telemetry": {"telemetry"},
}


def modules() -> list[Path]:
    return sorted(HOIST.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(dotted: str) -> str:
    return dotted.split(".")[1]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(HOIST)))
def test_each_part_imports_only_what_its_layer_allows(path):
    relative = path.relative_to(HOIST)
    mine = relative.parts[0].removesuffix(".py")
    if mine == "__init__":
        return
    ours = {name for name in imports(path) if name.startswith("hoist.")}
    below = tuple(name + "." for name in EVERYWHERE if name != "hoist")
    above = {
        name
        for name in ours
        if part(name) not in MAY_IMPORT[mine]
        and name not in EVERYWHERE
        and not name.startswith(below)
    }
    assert not above, f"{relative} may not import {sorted(above)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(HOIST)))
def test_the_product_never_imports_its_emulation(path):
    assert not {name for name in imports(path) if name.split(".")[0] == "emulation"}


def test_the_domain_needs_only_the_standard_library_and_pydantic():
    outside = {"boto3", "botocore", "flask", "kafka", "redis", "peewee", "jwt", "gevent"}
    for path in [*(HOIST / "domain").glob("*.py"), *(HOIST / "pipeline").glob("*.py")]:
        assert not {name for name in imports(path) if name.split(".")[0] in outside}, path


def test_the_map_names_every_module_once_and_nothing_else():
    text = ast.get_docstring(ast.parse((HOIST / "__init__.py").read_text())) or ""
    named = re.findall(r"^([a-z_]+(?:\.[a-z_0-9]+)*)  +\S", text, flags=re.M)
    there = {
        ".".join(path.relative_to(HOIST).with_suffix("").parts)
        for path in modules()
        if path.name not in ("__init__.py", "__main__.py")
    }
    assert sorted(named) == sorted(there)
