"""Fetch the engines as locked: jars from Maven Central through jgo, Redis out of one of them.

Every file is checked against the SHA-256 in its engine's jgo.lock.toml; a file that differs is
refused. A second call needs no network.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.env import LockFile
from jgo.maven import MavenContext

LOCKS = Path(__file__).parent / "engines"
ENGINES = ("kafka", "dynamodb", "redis")
REDIS_BINARIES = {
    ("Linux", "x86_64"): "redis-server-6.2.6-v5-linux-amd64",
    ("Linux", "aarch64"): "redis-server-6.2.7-linux-arm64",
    ("Darwin", "x86_64"): "redis-server-6.2.6-v5-darwin-amd64",
    ("Darwin", "arm64"): "redis-server-6.2.6-v5-darwin-arm64",
}


def directory() -> Path:
    """Where fetched engines are kept; several stacks share it."""
    default = Path(__file__).parents[2] / ".stack" / "engines"
    return Path(os.environ.get("STACK_ENGINES", default)).resolve()


def install() -> None:
    """Fetch what is missing. Raises ``SystemExit`` that names the file which failed."""
    logging.getLogger("jgo").setLevel(logging.WARNING)
    with ThreadPoolExecutor(8) as pool:
        for engine in ENGINES:
            if (directory() / engine / _stamp(engine)).exists():
                continue
            lock = LockFile.load(LOCKS / engine / "jgo.lock.toml")
            shutil.rmtree(directory() / engine, ignore_errors=True)
            (directory() / engine).mkdir(parents=True)
            list(pool.map(lambda item, to=engine: _fetch(item, to), lock.dependencies))
            if engine == "redis":
                _unpack_redis()
            (directory() / engine / _stamp(engine)).touch()


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


def _stamp(engine: str) -> str:
    lock = (LOCKS / engine / "jgo.lock.toml").read_bytes()
    return f".complete-{hashlib.sha256(lock).hexdigest()[:12]}"


def _fetch(item: object, engine: str) -> None:
    """One artifact of the lock, into the engine's folder, by way of the shared Maven cache."""
    group, name = item.groupId, item.artifactId  # type: ignore[attr-defined]
    version, kind = item.version, item.packaging  # type: ignore[attr-defined]
    context = MavenContext(repo_cache=directory() / "maven", timeout=120)
    artifact = context.project(group, name).at_version(version).artifact("", kind)
    try:
        path = Path(artifact.resolve())
    except Exception as error:
        raise SystemExit(f"cannot fetch {group}:{name}:{version}: {error}") from error
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != item.sha256:  # type: ignore[attr-defined]
        path.unlink()
        raise SystemExit(f"{group}:{name}:{version} is not the locked file (SHA-256 {found})")
    # SQLite's Java wrapper looks for its library under the name without the version.
    target = f"{name}.{kind}" if kind in ("so", "dylib") else path.name
    shutil.copy2(path, directory() / engine / target)


def _unpack_redis() -> None:
    machine = (platform.system(), platform.machine())
    if machine not in REDIS_BINARIES:
        return
    [jar] = (directory() / "redis").glob("embedded-redis-*.jar")
    target = directory() / "redis" / "redis-server"
    with zipfile.ZipFile(jar) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(REDIS_BINARIES[machine])]
        target.write_bytes(archive.read(name))
    target.chmod(0o755)


if __name__ == "__main__":
    install()
