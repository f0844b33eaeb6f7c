"""Frames, cut out of what comes, and the commonest ones read and made (RFC 6455 section 5.2).

Nearly every frame is one whole message of text; a general parser takes twice as long for it.
What any other frame means is for ``websockets`` to say, also whether it is allowed.
"""

from __future__ import annotations

import struct

WHOLE_TEXT, MASKED = 0x81, 0x80


def cut(data: bytes, size_max: int) -> tuple[list[bytes], bytes]:
    """Each whole frame that *data* begins with, and the rest.

    One that announces more than *size_max* bytes is not waited for: what came of it is the last.
    """
    frames: list[bytes] = []
    at = 0
    while found := _shape(data, at):
        begin, size = found
        end = begin + size
        if end > len(data) and size <= size_max:
            break
        frames.append(data[at:end])
        at = end
    return frames, data[at:]


def whole_text(frame: bytes, size_max: int) -> bytes | None:
    """The message that *frame* of a client is; None when it is anything else, or too large."""
    if frame[0] != WHOLE_TEXT or not frame[1] & MASKED:
        return None
    begin, size = _shape(frame, 0) or (0, 0)
    if size > size_max:
        return None
    mask = (frame[begin - 4 : begin] * (size // 4 + 1))[:size]
    plain = int.from_bytes(frame[begin:], "big") ^ int.from_bytes(mask, "big")
    return plain.to_bytes(size, "big")


def _shape(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at *at* begins, and its size; None when too little came."""
    if len(data) - at < 2:
        return None
    size, begin = data[at + 1] & ~MASKED, at + 2
    if size >= 126:
        begin += 2 if size == 126 else 8
        if len(data) < begin:
            return None
        size = int.from_bytes(data[at + 2 : begin], "big")
    return begin + (4 if data[at + 1] & MASKED else 0), size


def text_frame(text: bytes) -> bytes:
    """A whole message of a server; *text* is UTF-8."""
    size = len(text)
    if size < 126:
        return struct.pack("!BB", WHOLE_TEXT, size) + text
    if size < 65536:
        return struct.pack("!BBH", WHOLE_TEXT, 126, size) + text
    return struct.pack("!BBQ", WHOLE_TEXT, 127, size) + text
