"""Uploads by cheap clients, a socket for frames and a kept connection for PUTs; and bare PUTs."""

from __future__ import annotations

import http.client
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bench.target import Target
from bench.wire import SECONDS_MAX, Wire
from emulation import provision
from hoist.domain.model import FileRecord
from loadtest.people import User


class Storage:
    """Presigned PUTs, one after another, on one connection."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        at = urlsplit(environment["AWS_ENDPOINT_URL"])
        assert at.hostname
        self._connection = http.client.HTTPConnection(at.hostname, at.port, timeout=SECONDS_MAX)

    def put(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        at = urlsplit(url)
        self._connection.request("PUT", f"{at.path}?{at.query}", body, dict(headers))
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text

    def close(self) -> None:
        self._connection.close()


class Uploader:
    """One user's socket, and their connection to storage."""

    def __init__(self, target: Target, user: User) -> None:
        self.user = user
        self.wire = Wire(target.url + "/ws", user.token)
        self.storage = Storage(target.environment)
        self._target = target
        self._ids: list[str] = []

    def upload(self, body: bytes) -> tuple[float, float]:
        """From request to stored. Seconds to the URL, and from the end of the PUT to stored."""
        began = time.perf_counter()
        self.wire.send({"action": "upload", **wanted(len(body))})
        signed = self.wire.event("upload.ready")["upload"]
        ready = time.perf_counter()
        self.storage.put(signed["url"], body, signed["headers"])
        sent = time.perf_counter()
        self._ids.append(self.wire.event("upload.stored")["fileId"])
        return ready - began, time.perf_counter() - sent

    def uploaded(self) -> list[FileRecord]:
        """What was uploaded here."""
        keys = [(self.user.user_id, file_id) for file_id in self._ids]
        return list(self._target.services.store.get_many(keys).values())

    def close(self) -> None:
        self.wire.close()
        self.storage.close()


class BarePuts:
    """PUTs under a prefix of their own, of whose arrival S3 tells nobody."""

    def __init__(self, target: Target, body: bytes) -> None:
        self._s3: Any = provision.client("s3", target.environment)
        self._bucket, self._body = target.environment["HOIST_BUCKET"], body
        self._keys: list[str] = []

    def put(self, storage: Storage) -> None:
        key = f"bench/{secrets.token_hex(8)}"
        self._keys.append(key)
        params = {"Bucket": self._bucket, "Key": key, "ContentLength": len(self._body)}
        url = self._s3.generate_presigned_url("put_object", params, 900)
        storage.put(url, self._body, {"Content-Length": str(len(self._body))})

    def delete(self) -> None:
        while self._keys:
            some, self._keys = self._keys[:1000], self._keys[1000:]
            gone = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            self._s3.delete_objects(Bucket=self._bucket, Delete=gone)


def wanted(size: int = 1) -> dict[str, Any]:
    """A file to ask for, under a messageId of its own."""
    return {"messageId": secrets.token_hex(8), "file": {"name": "bench.bin", "size": size}}
