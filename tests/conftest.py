"""Real engines and a whole stack for the tests, on ports of their own beside a running one."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from emulation.native.stack import Stack
from hoist import telemetry

# Of several workers, each has ports of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
TEST_PORT_BASE = int(os.environ.get("TEST_PORT_BASE", "14500")) + 1000 * WORKER


@dataclass
class Running:
    """A started stack, and the little a test wants of it."""

    stack: Stack
    settings: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        return self.settings["HOIST_URL"].split(",")

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def issuer(self) -> str:
        return self.settings["HOIST_ISSUER"]

    def token(self, user: str) -> str:
        if user not in self.tokens:
            self.tokens[user] = self.mint(user, "good")
        return self.tokens[user]

    def bad_token(self, flaw: str, user: str = "ada") -> str:
        return self.mint(user, flaw)

    def mint(
        self, user: str, flaw: str, lifetime_seconds: int | None = None, **claims: object
    ) -> str:
        """A token for *user*; *claims* replace its own, so that a test can be a new person."""
        body: dict[str, object] = {"flaw": flaw, "user": user, "claims": claims}
        if lifetime_seconds:
            body["lifetime_seconds"] = lifetime_seconds
        answer = httpx.post(f"{self.issuer}_control/mint", json=body, timeout=30)
        return str(answer.raise_for_status().json()["token"])

    def new_user(self, user: str = "ada") -> str:
        """A token for somebody nobody has seen, of the same roles as *user*."""
        return self.mint(user, "good", sub=f"auth0|{user}-{secrets.token_hex(6)}")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything `make up` starts."""
    os.environ.setdefault("STACK_ENGINES", str(Path(".stack/engines").resolve()))
    running = Stack(TEST_PORT_BASE, tmp_path_factory.mktemp("stack"))
    running.up()
    yield Running(running, running.settings())
    running.down()


class Tiers:
    """The running stack's tier file. Called with changes, it returns once they are in force."""

    def __init__(self, running: Running) -> None:
        self.path = Path(running.settings["HOIST_TIERS_FILE"])
        self._running, self._original = running, self.path.read_text()

    def __call__(self, **changes: dict[str, object]) -> None:
        tiers = json.loads(self._original)
        for name, members in changes.items():
            tiers[name] |= members
        # Every process looks once a second, and says so.
        self._put(json.dumps(tiers))

    def restore(self) -> None:
        if self.path.read_text() != self._original:
            self._put(self._original)

    def _put(self, text: str) -> None:
        """In one step: half a file would be looked at twice."""
        before = self._seen()
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)
        self._await(before)

    def _await(self, before: dict[str, int]) -> None:
        """Processes look at the file when they use it: make each of them."""
        deadline = time.monotonic() + 30
        while any(count <= before[name] for name, count in self._seen().items()):
            assert time.monotonic() < deadline, self._seen()
            for user in ("ada", "grace"):
                for url in self._running.urls:
                    body = {"messageId": secrets.token_hex(8), "file": {"name": "x", "size": 1}}
                    headers = {"Authorization": f"Bearer {self._running.new_user(user)}"}
                    httpx.post(f"{url}/files/upload", json=body, headers=headers, timeout=30)

    def _seen(self) -> dict[str, int]:
        logs = self._running.stack.directory / "logs"
        names = ("gateway-a", "gateway-b", "upload-basic", "upload-premium")
        return {name: (logs / f"{name}.log").read_text().count('"tiers changed"') for name in names}


@pytest.fixture
def tiers(stack: Running) -> Iterator[Tiers]:
    changer = Tiers(stack)
    yield changer
    changer.restore()


@pytest.fixture(scope="session")
def engines(stack: Running) -> Running:
    """The engines of the same stack: contract tests bring tables and topics of their own."""
    return stack


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    yield
    telemetry.bind(None)
