"""One file through every box of the picture, narrated: python -m emulation.demo (make demo)."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emulation.demo_logs import Hop, worker_hops
from hoist.client import Client, File, HoistProblem, Issuer, MemoryStore, Session, Upload
from hoist.client.problems import Retry

FILE_BYTES = 64 * 10**6
CHUNK_BYTES = 10**6
USER = "ada"


@dataclass(frozen=True)
class Place:
    """Where the stack is."""

    urls: tuple[str, ...]
    issuer: str
    audience: str
    logs: Path

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Place:
        """HOIST_URL and HOIST_ISSUER, or what STACK_PORT_BASE makes of their defaults."""
        first = int(environ.get("STACK_PORT_BASE", "4500"))
        here = "http://127.0.0.1"
        urls = environ.get("HOIST_URL") or f"{here}:{first},{here}:{first + 1}"
        return cls(
            tuple(urls.split(",")),
            environ.get("HOIST_ISSUER") or f"{here}:{first + 3}/",
            environ.get("HOIST_AUDIENCE") or "https://api.hoist.local",
            Path(environ.get("STACK_DIR") or ".stack") / "logs",
        )


@dataclass
class Narrator:
    """Collects what the client sees, from any of its threads."""

    hops: list[Hop] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _put_started_at: float = 0.0

    def __call__(self, name: str, payload: Mapping[str, Any], at: float) -> None:
        with self._lock:
            if name == "put.started":
                self._put_started_at = at
            if sentence := self._sentence(name, payload, at):
                self.hops.append(Hop(at, "client", sentence))

    def _sentence(self, name: str, payload: Mapping[str, Any], at: float) -> str | None:
        if name == "frame.sent":
            return f"frame sent: upload {payload['file']['name']}, messageId {payload['messageId']}"
        if name == "upload.accepted":
            log = payload["log"]
            return f"accepted at {log['topic']}/{log['partition']}/{log['offset']}"
        if name == "upload.ready":
            return f"presigned URL: {redacted(payload['upload']['url'])}"
        if name == "put.started":
            return "PUT started, straight to storage"
        if name == "put.done":
            speed = payload["size"] / 1e6 / max(at - self._put_started_at, 1e-6)
            return f"PUT done: {payload['size'] / 1e6:.0f} MB at {speed:.0f} MB/s"
        if name == "upload.stored":
            return "stored event received"
        return None


def redacted(url: str) -> str:
    """*url* without its query: whoever has the signature may upload."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}?X-Amz-Signature=(redacted)"


def main() -> int:
    """Exit code 0 when the file came back as it went."""
    console = Console(highlight=False, soft_wrap=True)
    place, narrator = Place.from_env(os.environ), Narrator()
    issuer = Issuer(place.issuer, audience=place.audience)
    try:
        session = Session(MemoryStore(issuer.password(USER, USER)), issuer)
        with (
            Client(place.urls, session, on_event=narrator, retry=Retry((0.5, 1.0))) as client,
            tempfile.TemporaryDirectory(prefix="hoist-demo-") as folder,
        ):
            run(client, narrator, place.logs, Path(folder), console)
    except HoistProblem as problem:
        print(f"demo: {problem.detail} ({problem.code}).", file=sys.stderr)
        print("Is the stack up? Start it with `make up`.", file=sys.stderr)
        return 1
    return 0


def run(client: Client, narrator: Narrator, logs: Path, folder: Path, console: Console) -> None:
    """Raises ``HoistProblem``, also when the download differs from what was uploaded."""
    path = folder / f"demo-{int(time.time())}.bin"
    sent = make_file(path)
    console.print(f"Uploading {path.name}, {FILE_BYTES / 1e6:.0f} MB, as {USER} …")
    started_at = time.time()
    upload = client.upload(path)
    hops, missing = worker_hops(logs, upload.trace_id or "", time.monotonic, time.sleep)
    show_hops(console, started_at, upload, sorted(narrator.hops + hops, key=lambda hop: hop.at))
    if missing:
        console.print(f"Not found in {logs}: {', '.join(missing)}.")
    back = folder / "back.bin"
    fetched_at = time.time()
    client.download(upload.file_id, back)
    seconds = time.time() - fetched_at
    received = checksum(back)
    console.print(f"\nDownloaded again in {seconds * 1000:.0f} ms. SHA-256 {received}")
    if received != sent:
        raise HoistProblem("content_differs", 502, f"uploaded {sent}, downloaded {received}")
    console.print("It is the file that was sent.\n")
    show_files(console, client.list(limit=10)["files"])


def make_file(path: Path) -> str:
    """Pseudo-random bytes, so that nothing on the way can compress them; returns their SHA-256."""
    source, digest = random.Random(time.time_ns()), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(FILE_BYTES // CHUNK_BYTES):
            chunk = source.randbytes(CHUNK_BYTES)
            digest.update(chunk)
            file.write(chunk)
    return base64.b64encode(digest.digest()).decode()


def checksum(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
    return base64.b64encode(digest.digest()).decode()


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def show_hops(console: Console, started_at: float, upload: Upload, hops: list[Hop]) -> None:
    console.print(f"trace {upload.trace_id}\nfile  {upload.file_id}\n")
    width = max(len(hop.service) for hop in hops)
    for hop in hops:
        since = (hop.at - started_at) * 1000
        console.print(Text(f"{since:8.0f} ms  {hop.service:<{width}}  {hop.sentence}"))


def show_files(console: Console, files: list[File]) -> None:
    table = Table("name", "size", "status", "id", title="GET /files", title_justify="left")
    for file in files:
        table.add_row(Text(file["name"]), str(file["size"]), file["status"], file["fileId"])
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
