"""One port that is forwarded to another, the toxics on its way, and what they did."""

from __future__ import annotations

import asyncio
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from dataclasses import dataclass
from typing import Any

from emulation.faults.answers import ANSWERS
from emulation.faults.link import Link
from emulation.faults.toxics import NoSuchToxic, Toxic

HOST = "127.0.0.1"
REOPEN_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Route:
    """From where to where. A *protocol* of ``answers`` is HTTP; any other is only bytes."""

    name: str
    protocol: str
    listen: int
    forward: int


class Target:
    def __init__(self, route: Route) -> None:
        self.route = route
        self.toxics: dict[str, Toxic] = {}
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._seen: Counter[str] = Counter()
        self._bites: Counter[str] = Counter()

    @property
    def speaks_http(self) -> bool:
        return self.route.protocol in ANSWERS

    async def open(self) -> None:
        """Listen. A port that somebody took while it was down is waited for a moment."""
        deadline = time.monotonic() + REOPEN_SECONDS_MAX
        while self._server is None:
            try:
                self._server = await asyncio.start_server(self._accept, HOST, self.route.listen)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    async def add(self, toxic: Toxic) -> None:
        """It is in force, for open connections too, once this returns."""
        if toxic.name in self.toxics:
            raise NoSuchToxic(f"{self.route.name} has a toxic {toxic.name!r} already")
        self.toxics[toxic.name] = toxic
        if toxic.type == "down" and self._server:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.meet(toxic)

    async def remove(self, name: str) -> None:
        """Nothing of it is left once this returns. Raises ``KeyError``."""
        del self.toxics[name]
        if not any(toxic.type == "down" for toxic in self.toxics.values()):
            await self.open()
        for link in list(self._links):
            link.part(name)

    def counts(self) -> dict[str, Any]:
        seen = {name: self._seen[name] for name in ("connections", "requests")}
        return {**seen, "faults": dict(self._bites)}

    def told(self) -> dict[str, Any]:
        toxics = [toxic.told() for toxic in self.toxics.values()]
        route = {name: getattr(self.route, name) for name in ("protocol", "listen", "forward")}
        return {**route, "open": len(self._links), "toxics": toxics}

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._seen["connections"] += 1
        link = Link(self.route.protocol, (reader, writer), self._seen, self._bites)
        self._links.add(link)
        for toxic in self.toxics.values():
            link.meet(toxic)
        try:
            await link.run(HOST, self.route.forward)
        finally:
            self._links.discard(link)
