"""Fetch the engines as locked: jars from Maven Central through jgo, and what is inside some.

Every file is checked against the SHA-256 in its engine's jgo.lock.toml; a file that differs is
refused. A second call needs no network. Redis comes out of a jar, and so does PostgreSQL, which
is fetched when it is chosen.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jgo.env import LockFile
from jgo.maven import MavenContext, PythonResolver

from emulation.native.arrivals import Arrivals, Stopped

LOCKS = Path(__file__).parent / "engines"
ENGINES = ("kafka", "dynamodb", "redis")
REDIS_BINARIES = {
    ("Linux", "x86_64"): "redis-server-6.2.6-v5-linux-amd64",
    ("Linux", "aarch64"): "redis-server-6.2.7-linux-arm64",
    ("Darwin", "x86_64"): "redis-server-6.2.6-v5-darwin-amd64",
    ("Darwin", "arm64"): "redis-server-6.2.6-v5-darwin-arm64",
}


POSTGRES_BINARIES = {
    ("Linux", "x86_64"): "linux-amd64",
    ("Linux", "aarch64"): "linux-arm64v8",
    ("Darwin", "x86_64"): "darwin-amd64",
    ("Darwin", "arm64"): "darwin-arm64v8",
}
MACHINE = (platform.system(), platform.machine())


def directory() -> Path:
    """Where fetched engines are kept; several stacks share it."""
    default = Path(__file__).parents[2] / ".stack" / "engines"
    return Path(os.environ.get("STACK_ENGINES", default)).resolve()


def install(engines: Sequence[str] = ENGINES) -> None:
    """Fetch what is missing. Raises ``SystemExit`` that names the file which failed."""
    logging.getLogger("jgo").setLevel(logging.ERROR)
    for engine in engines:
        if not (directory() / engine / _stamp(engine)).exists():
            _install(engine)


def classpath(engine: str) -> str:
    return str(directory() / engine / "*")


def redis_server() -> str:
    """The installed redis-server of 6.2 or newer, else the one that was fetched."""
    installed = shutil.which("redis-server")
    if installed:
        told = subprocess.run([installed, "--version"], capture_output=True, text=True, check=False)
        version = told.stdout.partition("v=")[2].split(" ")[0].split(".")
        if len(version) > 1 and tuple(map(int, version[:2])) >= (6, 2):
            return installed
    return str(directory() / "redis" / "redis-server")


def _install(engine: str) -> None:
    items = LockFile.load(LOCKS / engine / "jgo.lock.toml").dependencies
    if engine == "postgres":
        items = [item for item in items if item.artifactId.endswith(POSTGRES_BINARIES[MACHINE])]
    shutil.rmtree(directory() / engine, ignore_errors=True)
    (directory() / engine).mkdir(parents=True)
    with Arrivals(engine, len(items)) as arrivals, ThreadPoolExecutor(8) as pool:
        try:
            list(pool.map(lambda item: _fetch(item, engine, arrivals), items))
        except BaseException:
            arrivals.stop()  # else the pool would wait for whole files
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if engine == "redis":
        _unpack_redis()
    elif engine == "postgres":
        _unpack_postgres()
    (directory() / engine / _stamp(engine)).touch()


def _stamp(engine: str) -> str:
    lock = (LOCKS / engine / "jgo.lock.toml").read_bytes()
    return f".complete-{hashlib.sha256(lock).hexdigest()[:12]}"


def _fetch(item: Any, engine: str, arrivals: Arrivals) -> None:
    """One artifact of the lock, into the engine's folder, by way of the shared Maven cache."""
    name, kind = item.artifactId, item.packaging
    label = f"{item.groupId}:{name}:{item.version}"
    resolver = PythonResolver(progress_callback=arrivals.of_one_file)
    context = MavenContext(resolver=resolver, repo_cache=directory() / "maven", timeout=120)
    artifact = context.project(item.groupId, name).at_version(item.version).artifact("", kind)
    for _ in range(2):
        try:
            path = Path(artifact.resolve())
        except Stopped:
            raise
        except Exception as error:
            raise SystemExit(f"cannot fetch {label}: {error}") from error
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found == item.sha256:
            break
        path.unlink()  # an interrupted run leaves half a file behind: once more, then
    else:
        raise SystemExit(f"{label} is not the locked file (SHA-256 {found})")
    # SQLite's Java wrapper looks for its library under the name without the version.
    target = f"{name}.{kind}" if kind in ("so", "dylib") else path.name
    shutil.copy2(path, directory() / engine / target)
    arrivals.complete()


def _unpack_redis() -> None:
    if MACHINE not in REDIS_BINARIES:
        return
    [jar] = (directory() / "redis").glob("embedded-redis-*.jar")
    target = directory() / "redis" / "redis-server"
    with zipfile.ZipFile(jar) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(REDIS_BINARIES[MACHINE])]
        target.write_bytes(archive.read(name))
    target.chmod(0o755)


def _unpack_postgres() -> None:
    """``bin``, ``lib`` and ``share``, out of an archive in the jar."""
    [jar] = (directory() / "postgres").glob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".txz")]
        with archive.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as files:
            files.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4
            files.extractall(directory() / "postgres")
    jar.unlink()


if __name__ == "__main__":
    try:
        install()
    except (KeyboardInterrupt, Stopped):
        raise SystemExit(130) from None
