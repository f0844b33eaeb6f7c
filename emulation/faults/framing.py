"""Where HTTP/1.1 requests begin and end in what a client sends; not a byte of it is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

HEAD_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Head:
    method: str
    expects_continue: bool
    length: int  # of the body
    is_chunked: bool
    is_upgrade: bool


@dataclass(frozen=True)
class Part:
    """Some bytes of a request, with its head when it begins here."""

    data: bytes
    head: Head | None = None
    is_last: bool = False


class _State(Enum):
    HEAD, BODY, SIZE, CHUNK, TRAILER, THROUGH = range(6)


class Requests:
    """One connection's. What cannot be understood is passed on as it is, from there to the end."""

    def __init__(self) -> None:
        self._buffer = b""
        self._state = _State.HEAD
        self._left = 0

    def feed(self, data: bytes) -> Iterator[Part]:
        self._buffer += data
        while self._buffer:
            if self._state is _State.THROUGH:
                yield Part(self._take(len(self._buffer)))
            elif self._state in (_State.BODY, _State.CHUNK):
                yield self._body()
            elif part := self._next():
                yield part
            else:
                return  # the rest is still to come

    def _next(self) -> Part | None:
        return self._head() if self._state is _State.HEAD else self._line()

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _head(self) -> Part | None:
        end = self._buffer.find(b"\r\n\r\n")
        head = parse(self._buffer[:end]) if end >= 0 else None
        if head is None:
            if end >= 0 or len(self._buffer) > HEAD_BYTES_MAX:
                self._state = _State.THROUGH
                return Part(self._take(len(self._buffer)))
            return None
        self._left = head.length
        if head.is_upgrade:
            self._state = _State.THROUGH
        elif head.is_chunked:
            self._state = _State.SIZE
        elif head.length:
            self._state = _State.BODY
        is_last = self._state in (_State.HEAD, _State.THROUGH)
        return Part(self._take(end + 4), head, is_last)

    def _body(self) -> Part:
        data = self._take(self._left)
        self._left -= len(data)
        is_last = not self._left and self._state is _State.BODY
        if not self._left:
            self._state = _State.HEAD if is_last else _State.SIZE
        return Part(data, is_last=is_last)

    def _line(self) -> Part | None:
        """A chunk's size, or a line behind the last chunk; the last such line is empty."""
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        line = self._take(end + 2)
        if self._state is _State.TRAILER:
            if end == 0:
                self._state = _State.HEAD
            return Part(line, is_last=end == 0)
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            self._state = _State.THROUGH
            return Part(line)
        self._state, self._left = (_State.CHUNK, size + 2) if size else (_State.TRAILER, 0)
        return Part(line)


def parse(raw: bytes) -> Head | None:
    """None when it is no head of a request."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        return None
    return Head(
        words[0],
        headers.get("expect") == "100-continue",
        int(length),
        "chunked" in headers.get("transfer-encoding", ""),
        "upgrade" in headers,
    )
