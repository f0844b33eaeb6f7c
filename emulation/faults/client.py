"""Faults, armed and healed from Python.

faults = stack.faults()
with faults.on("redis", latency_ms=2000):
    ...
faults.arm("upload-basic", "after:log.append", count=3)
faults.counts()
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from emulation.faults import clock, crash, points

ANSWER_SECONDS_MAX = 30.0


class Faults:
    """*url* is where the proxy is told; *directory* is that of the stack."""

    def __init__(self, url: str, directory: Path) -> None:
        self._http = httpx.Client(base_url=url, timeout=ANSWER_SECONDS_MAX)
        self._directory = directory
        self._numbers = itertools.count(1)
        self.made: set[tuple[str, str]] = set()  # targets and the types of their toxics, ever

    @contextmanager
    def on(self, target: str, **wrong: Any) -> Iterator[None]:
        """``add`` for as long as the block runs."""
        names = self.add(target, **wrong)
        try:
            yield
        finally:
            for name in names:
                self.remove(target, name)

    def add(
        self,
        target: str,
        *,
        latency_ms: float | None = None,
        jitter_ms: float = 0,
        bandwidth_kbps: float | None = None,
        timeout_ms: float | None = None,
        partition: bool = False,
        limit_bytes: int | None = None,
        reset_after_bytes: int | None = None,
        slow_close_ms: float | None = None,
        down: bool = False,
        errors: float | None = None,
        stream: str | None = None,
        toxicity: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """Make *target* toxic, as ``toxics`` describes each; in force once this returns.

        Several may be given at once. *stream* is upstream, downstream or both, and *toxicity* the
        share of connections; both are of each that is given. Returns names for ``remove``. Raises
        ``ValueError`` saying what makes no sense.
        """
        given: dict[str, dict[str, float] | None] = {
            "latency": None if latency_ms is None else {"latency": latency_ms, "jitter": jitter_ms},
            "bandwidth": _attribute("rate", bandwidth_kbps),
            "timeout": _attribute("timeout", timeout_ms),
            "partition": {} if partition else None,
            "limit_data": _attribute("bytes", limit_bytes),
            "reset_peer": _attribute("bytes", reset_after_bytes),
            "slow_close": _attribute("delay", slow_close_ms),
            "down": {} if down else None,
            "errors": _attribute("probability", errors),
        }
        names = []
        for kind, attributes in given.items():
            if attributes is not None:
                toxic: dict[str, Any] = {
                    "type": kind,
                    "name": f"{kind}-{next(self._numbers)}",
                    "stream": stream,
                }
                toxic |= {"toxicity": toxicity, "attributes": attributes, "seed": seed}
                self._ask("POST", f"/proxies/{target}/toxics", toxic)
                names.append(str(toxic["name"]))
                self.made.add((target, kind))
        return names

    def remove(self, target: str, name: str) -> None:
        """The toxic is gone once this returns; one that was cleared meanwhile is no error."""
        if any(toxic["name"] == name for toxic in self.state()[target]["toxics"]):
            self._ask("DELETE", f"/proxies/{target}/toxics/{name}")

    def clear(self) -> None:
        """Heal everything, disarm everything, set every clock right."""
        self._ask("POST", "/reset")
        for file in self._directory.glob("crash-at/*.fired"):
            self.disarm(file.name.removesuffix(".fired"))
        for file in self._directory.glob("skew/*"):
            clock.write(file, 0)

    def arm(self, service: str, point: str, count: int = 1) -> None:
        """*service* ends when it reaches *point* (of ``points``) for the *count*-th time from now.

        Points that were armed before stay so; the first that is reached disarms all. What fired
        before is forgotten. Raises ``ValueError`` saying what makes no sense.
        """
        points.check(point, count)
        file = self._crash_file(service)
        before = file.read_text() if file.exists() else ""
        crash.fired(file).write_text("")
        new = file.with_name(f"{file.name}.new")
        new.write_text(f"{before}{point}:{count}\n")
        new.replace(file)

    def disarm(self, service: str) -> None:
        self._crash_file(service).unlink(missing_ok=True)

    def fired(self, service: str) -> str | None:
        """The point at which *service* ended since it was last armed, if it did."""
        return crash.fired(self._crash_file(service)).read_text().strip() or None

    def skew(self, service: str, seconds: float) -> None:
        """Set the clock of *service* wrong, or right again with 0; within two seconds it is so.

        Raises ``ValueError`` when the stack was not started with ``skewable=True``.
        """
        file = self._directory / "skew" / service
        if not file.exists():
            raise ValueError(
                f"the clock of {service!r} cannot be changed: start with skewable=True"
            )
        clock.write(file, seconds)

    def state(self) -> dict[str, Any]:
        """Each target: its route, how many connections are open, its toxics."""
        return dict(self._ask("GET", "/proxies"))

    def counts(self) -> dict[str, Any]:
        """By target, since the start: connections, HTTP requests, and how often each toxic bit.

        ``faults`` counts requests for errors; connections for down, reset_peer, limit_data and
        slow_close; pieces of up to 64 KiB for the others.
        """
        return dict(self._ask("GET", "/counts"))

    def close(self) -> None:
        self._http.close()

    def _crash_file(self, service: str) -> Path:
        file = self._directory / "crash-at" / service
        if not crash.fired(file).exists():
            raise ValueError(f"there is no service {service!r} of ours here")
        return file

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = self._http.request(method, path, json=body)
        if answer.is_client_error:
            raise ValueError(answer.json()["error"])
        return answer.raise_for_status().json()


def _attribute(name: str, value: float | None) -> dict[str, float] | None:
    return None if value is None else {name: value}
