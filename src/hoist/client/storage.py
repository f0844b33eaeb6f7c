"""The bytes' way to and from S3, by presigned requests: no token goes there."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx

from hoist.client.problems import HoistProblem, Unreachable
from hoist.client.source import CHUNK_BYTES
from hoist.client.views import File, OnProgress, SignedRequest

TIMEOUT = httpx.Timeout(60, connect=5)
TRY_AGAIN = (403, 408, 409, 429, 500, 502, 503, 504)  # 403: the signature may have ended


class Storage:
    """One connection pool for every transfer of a client."""

    def __init__(self) -> None:
        # Without a limit: files and parts in parallel are bounded by who starts them.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        self._http = httpx.Client(timeout=TIMEOUT, limits=limits)

    def close(self) -> None:
        self._http.close()

    def put(self, signed: SignedRequest, body: Iterator[bytes]) -> bool:
        """Send the bytes; False when the file was there already.

        A 403 is retriable: a signature ends, and the next attempt brings a fresh one.
        """
        try:
            answer = self._http.request(
                signed["method"], signed["url"], headers=signed["headers"], content=body
            )
        except httpx.TransportError as error:
            raise Unreachable("the connection to storage broke") from error
        if answer.status_code == 412:
            return False
        if not answer.is_success:
            raise _refusal(answer.status_code, answer.text)
        return True

    def get(self, url: str, file: File, path: Path, on_progress: OnProgress) -> None:
        """Put the content at *path* when it is complete and right: never half a file."""
        temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as into:
                checksum, size = self._fetch(url, into, on_progress)
            _check(file, checksum, size)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _fetch(self, url: str, into: BinaryIO, on_progress: OnProgress) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        try:
            # identity: the bytes as stored, whatever lies between.
            headers = {"Accept-Encoding": "identity"}
            with self._http.stream("GET", url, headers=headers) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer.status_code, answer.text)
                for chunk in answer.iter_raw(CHUNK_BYTES):
                    digest.update(chunk)
                    size += into.write(chunk)
                    on_progress(size)
        except httpx.TransportError as error:
            raise Unreachable("the connection to storage broke") from error
        return base64.b64encode(digest.digest()).decode(), size


def _check(file: File, checksum: str, size: int) -> None:
    known = file.get("checksumSha256")
    if size != file["size"] or (known and known != checksum):
        detail = f"what arrived is not {file['name']}: the size or the SHA-256 differs"
        raise HoistProblem("content_differs", 502, detail, {"retriable": True})


def _refusal(status: int, text: str) -> HoistProblem:
    """S3 explains itself in XML: its code and message are all a client can use."""
    code = re.search(r"<Code>([^<]*)</Code>", text)
    message = re.search(r"<Message>([^<]*)</Message>", text)
    said = ": ".join(match[1] for match in (code, message) if match)
    detail = f"storage refused with {status}" + (f" ({said})" if said else "")
    return HoistProblem("storage_refused", status, detail, {"retriable": status in TRY_AGAIN})
