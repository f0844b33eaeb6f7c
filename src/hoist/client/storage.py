"""The bytes' way to and from S3, by presigned requests: no token goes there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx

from hoist.client.partial import Partial
from hoist.client.problems import HoistProblem, Unreachable
from hoist.client.views import OnProgress, SignedRequest

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

    def get(self, url: str, partial: Partial, on_progress: OnProgress) -> None:
        """Append what *partial* lacks; all of it anew when storage has another version by now.

        *on_progress* hears how much is there. What has come stays when the connection breaks.
        """
        # identity: the bytes as stored, whatever lies between.
        headers = {"Accept-Encoding": "identity"}
        if partial.size:
            headers["Range"] = f"bytes={partial.size}-"
            if partial.etag:
                headers["If-Range"] = f'"{partial.etag}"'
        try:
            with self._http.stream("GET", url, headers=headers) as answer:
                if _is_complete(answer, partial):
                    return
                _check_start(answer, partial)
                for chunk in answer.iter_raw():
                    partial.append(chunk)
                    on_progress(partial.size)
        except httpx.TransportError as error:
            raise Unreachable("the connection to storage broke") from error


def _is_complete(answer: httpx.Response, partial: Partial) -> bool:
    """Whether storage says that there is nothing after what *partial* has."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return answer.status_code == 416 and total == str(partial.size)


def _check_start(answer: httpx.Response, partial: Partial) -> None:
    """Make *partial* end where the body of *answer* begins, or raise."""
    etag = answer.headers.get("ETag", "").strip('"')
    if answer.status_code == 200:
        if partial.size:
            partial.restart()
        partial.etag = etag or None
        return
    if not answer.is_success and answer.status_code != 416:
        answer.read()
        raise _refusal(answer.status_code, answer.text)
    begins = answer.headers.get("Content-Range", "").startswith(f"bytes {partial.size}-")
    if answer.status_code != 206 or not begins or partial.etag not in (None, etag):
        partial.restart()
        detail = "storage has not the rest of what came before"
        raise HoistProblem("range_differs", 502, detail, {"retriable": True})


def _refusal(status: int, text: str) -> HoistProblem:
    """S3 explains itself in XML: its code and message are all a client can use."""
    code = re.search(r"<Code>([^<]*)</Code>", text)
    message = re.search(r"<Message>([^<]*)</Message>", text)
    said = ": ".join(match[1] for match in (code, message) if match)
    detail = f"storage refused with {status}" + (f" ({said})" if said else "")
    return HoistProblem("storage_refused", status, detail, {"retriable": status in TRY_AGAIN})
