"""The storage of the little gateway, reading side: ranges as S3 has them, and what goes wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

PIECE = 16 * 1024


def etag_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass
class Faults:
    """What storage was asked, and what it does wrong; every number is used up."""

    ranges: list[str | None] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)  # the connection breaks after so many bytes
    statuses: list[int] = field(default_factory=list)  # answered instead of bytes
    broken: set[bytes] = field(default_factory=set)  # bodies that are always answered with 400
    corrupts: int = 0  # how many answers have the right size and wrong bytes
    etag: str | None = None  # what storage has now, in the place of what was announced
    ignores_ranges: bool = False
    ignores_if_range: bool = False
    before_piece: Callable[[], None] = lambda: None


def send(handler: BaseHTTPRequestHandler, faults: Faults, body: bytes) -> None:
    """Answer a GET as S3 does: 200, 206, 416, or what *faults* say."""
    wanted, etag = handler.headers.get("Range"), faults.etag or etag_of(body)
    faults.ranges.append(wanted)
    if faults.statuses or body in faults.broken:
        _begin(handler, faults.statuses.pop(0) if faults.statuses else 400, 0)
        return
    if faults.corrupts:
        faults.corrupts -= 1
        body = body[::-1]
    start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
    is_same = handler.headers.get("If-Range", f'"{etag}"') == f'"{etag}"'
    if faults.ignores_ranges or not (is_same or faults.ignores_if_range):
        start = 0
    tags = {"ETag": f'"{etag}"'}
    if start >= len(body) > 0:
        _begin(handler, 416, 0, **{"Content-Range": f"bytes */{len(body)}"})
        return
    if start:
        tags["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    _begin(handler, 206 if start else 200, len(body) - start, **tags)
    _write(handler, faults, body[start:])


def _begin(handler: BaseHTTPRequestHandler, status: int, length: int, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _write(handler: BaseHTTPRequestHandler, faults: Faults, body: bytes) -> None:
    end = len(body)
    if faults.cuts:
        end = min(end, faults.cuts.pop(0))
        handler.close_connection = True
    for at in range(0, end, PIECE):
        faults.before_piece()
        handler.wfile.write(body[at : min(at + PIECE, end)])
        handler.wfile.flush()
