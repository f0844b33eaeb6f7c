"""One direction of a connection: what arrives is read at once, and goes on when toxics let it."""

from __future__ import annotations

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from enum import Enum
from typing import TYPE_CHECKING

from emulation.faults.answers import ANSWERS, CONTINUE, answer
from emulation.faults.framing import Head, Requests

if TYPE_CHECKING:
    from emulation.faults.link import Link

PIECE_BYTES, PIECES_MAX = 64 * 1024, 256
SLICES_PER_SECOND = 10  # a bandwidth is kept over each


class End(Enum):
    CLOSED, BROKEN = range(2)


class Pipe:
    """One direction. That of requests has the *back* on which they may be answered here."""

    def __init__(
        self,
        link: Link,
        stream: str,
        reader: StreamReader,
        writer: StreamWriter,
        back: Pipe | None = None,
    ) -> None:
        self._link, self._stream = link, stream
        self._reader, self._writer, self._back = reader, writer, back
        self._requests = Requests() if back and link.protocol in ANSWERS else None
        self._refused: Head | None = None
        self._pieces: asyncio.Queue[tuple[float, float, bytes | End]] = asyncio.Queue(PIECES_MAX)

    async def read(self) -> None:
        end = End.CLOSED
        try:
            while data := await self._reader.read(PIECE_BYTES):
                await (self._look_at(data) if self._requests else self.put(data))
        except OSError:
            end = End.BROKEN
        await self.put(end)

    async def put(self, piece: bytes | End) -> None:
        now = asyncio.get_running_loop().time()
        await self._pieces.put((now, random.uniform(-1, 1), piece))

    async def _look_at(self, data: bytes) -> None:
        """Pass on what *data* has of each request, or nothing of those that are refused."""
        assert self._requests
        assert self._back
        for part in self._requests.feed(data):
            if part.head:
                self._link.seen["requests"] += 1
                toxic = self._link.toxic("errors", self._stream)
                if toxic and toxic.takes_request():
                    self._link.bites[toxic.type] += 1
                    self._refused = part.head
                    if part.head.expects_continue:
                        await self._back.put(CONTINUE)
            if self._refused is None:
                await self.put(part.data)
            elif part.is_last:
                # Only now: who is still sending would take an answer and a close for a reset.
                await self._back.put(answer(self._link.protocol, self._refused))
                self._refused = None

    async def write(self) -> None:
        try:
            while True:
                since, chance, piece = await self._pieces.get()
                await self._wait(since, chance)
                if isinstance(piece, End):
                    await self._end(piece)
                    return
                await self._send(piece)
        except OSError:
            self._link.reset()

    async def _wait(self, since: float, chance: float) -> None:
        """As long as a partition, then what is left of a latency."""
        has_waited: set[str] = set()
        loop = asyncio.get_running_loop()
        while True:
            partition = self._link.toxic("partition", self._stream)
            latency = self._link.toxic("latency", self._stream)
            delay = 0.0
            if latency:
                delay = latency.attributes["latency"] + chance * latency.attributes["jitter"]
            left = since + delay / 1000 - loop.time()
            toxic = partition or latency
            if toxic is None or (partition is None and left <= 0):
                break
            has_waited.add(toxic.type)
            await self._link.changed(None if partition else left)
        self._link.bites.update(has_waited)

    async def _send(self, piece: bytes) -> None:
        if toxic := self._link.toxic("timeout", self._stream):
            self._link.bites[toxic.type] += 1
            self._link.swallowed()
            return
        cutter = self._link.cutter(self._stream)
        if cutter and cutter[1] <= len(piece):
            toxic, left = cutter
            await self._pace(piece[:left])
            self._link.bites[toxic.type] += 1
            if toxic.type == "reset_peer":
                self._link.reset()
            else:
                self._link.close()
        else:
            await self._pace(piece)
            self._link.passed(self._stream, len(piece))

    async def _pace(self, piece: bytes) -> None:
        if self._link.toxic("bandwidth", self._stream):
            self._link.bites["bandwidth"] += 1
        loop = asyncio.get_running_loop()
        while piece:
            toxic = self._link.toxic("bandwidth", self._stream)
            rate = toxic.attributes["rate"] * 1000 if toxic else 0
            size = max(1, int(rate / SLICES_PER_SECOND)) if toxic else len(piece)
            began = loop.time()
            self._writer.write(piece[:size])
            await self._writer.drain()
            sent, piece = piece[:size], piece[size:]
            while toxic and rate and (left := began + len(sent) / rate - loop.time()) > 0:
                await self._link.changed(left)
                toxic = self._link.toxic("bandwidth", self._stream)

    async def _end(self, end: End) -> None:
        if end is End.BROKEN:
            self._link.reset()
            return
        if toxic := self._link.toxic("slow_close", self._stream):
            self._link.bites[toxic.type] += 1
            await self._link.changed(toxic.attributes["delay"] / 1000)
        while self._link.toxic("timeout", self._stream):
            await self._link.changed()
        if self._writer.can_write_eof():
            self._writer.write_eof()
        self._link.ended()
