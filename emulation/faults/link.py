"""One connection on its way, and which toxics it has."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections import Counter
from contextlib import suppress

from emulation.faults.pipe import Pipe
from emulation.faults.toxics import DOWNSTREAM, UPSTREAM, Toxic

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends RST


class Link:
    """Between a client that was accepted and its server. *bites* counts what toxics do."""

    def __init__(
        self,
        protocol: str,
        client: tuple[StreamReader, StreamWriter],
        seen: Counter[str],
        bites: Counter[str],
    ) -> None:
        self.protocol, self.seen, self.bites = protocol, seen, bites
        self._client = client
        self._writers = [client[1]]
        self._toxics: dict[str, Toxic] = {}
        self._left: dict[str, int] = {}  # bytes until a toxic cuts it
        self._changed = asyncio.Event()
        self._has_hole = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = 0

    async def run(self, host: str, port: int) -> None:
        """Until both sides closed, or it is cut."""
        if self._over.done():
            return
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            self.reset()
            return
        self._writers.append(writer)
        down = Pipe(self, DOWNSTREAM, reader, self._client[1])
        up = Pipe(self, UPSTREAM, self._client[0], writer, down)
        steps = [up.read(), up.write(), down.read(), down.write()]
        tasks = [asyncio.create_task(step) for step in steps]
        try:
            await self._over
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in self._writers:
                writer.close()

    def meet(self, toxic: Toxic) -> None:
        """*toxic* is here from now on, if this connection is of its share."""
        if not toxic.takes_connection():
            return
        self._toxics[toxic.name] = toxic
        if "bytes" in toxic.attributes:
            self._left[toxic.name] = int(toxic.attributes["bytes"])
        if toxic.type == "down" or (toxic.type == "reset_peer" and not self._left[toxic.name]):
            self.bites[toxic.type] += 1
            self.reset()
        elif toxic.type == "timeout" and toxic.attributes["timeout"]:
            loop = asyncio.get_running_loop()
            loop.call_later(toxic.attributes["timeout"] / 1000, self._time_out, toxic)
        self._change()

    def part(self, name: str) -> None:
        """The toxic *name* is gone. What had a hole torn into it ends: TCP never shows one."""
        toxic = self._toxics.pop(name, None)
        if toxic and toxic.type == "timeout" and self._has_hole:
            self.reset()
        self._change()

    def reset(self) -> None:
        for writer in self._writers:
            with suppress(OSError):
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        self.close()

    def close(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def ended(self) -> None:
        """One direction is at its end."""
        self._ended += 1
        if self._ended == 2:
            self.close()

    def toxic(self, type: str, stream: str) -> Toxic | None:
        for toxic in self._toxics.values():
            if toxic.type == type and toxic.is_on(stream):
                return toxic
        return None

    def cutter(self, stream: str) -> tuple[Toxic, int] | None:
        """What cuts it next, and after how many bytes."""
        found = [(self._left[t.name], t) for t in self._toxics.values() if t.name in self._left]
        found = [(left, toxic) for left, toxic in found if toxic.is_on(stream)]
        left, first = min(found, key=lambda pair: pair[0], default=(0, None))
        return (first, left) if first else None

    def passed(self, stream: str, count: int) -> None:
        for name, toxic in self._toxics.items():
            if name in self._left and toxic.is_on(stream):
                self._left[name] -= count

    def swallowed(self) -> None:
        self._has_hole = True

    async def changed(self, seconds: float | None = None) -> None:
        """Return when a toxic came or went, or after *seconds*."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _time_out(self, toxic: Toxic) -> None:
        if self._toxics.get(toxic.name) is toxic:
            self.close()
