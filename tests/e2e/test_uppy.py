"""The example of docs/uppy.md in a real browser: Uppy itself, Chromium, CORS and all.

Chromium is told that ``localhost`` at the gateway's port is where we serve the example: so the
page has an origin the gateway knows, and the gateway, at 127.0.0.1, is another.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.e2e.raw_client import list_all, poll_upload

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "uppy"
THRESHOLD, LARGE = 5 * 1024**2, 20 * 1024**2
PATIENCE_SECONDS = 120
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # its sandbox refuses root, and it sees no page but ours
    "--disable-dev-shm-usage",  # 64 MB in many containers
    "--remote-debugging-port=0",
)


def unavailable(what: str) -> NoReturn:
    """Skip on a laptop, fail in CI: a silent skip there is a lost proof."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


class Page:
    """The example in Chromium, over the DevTools protocol, and all that happened on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ids = itertools.count(1)
        self.heard: list[dict] = []

    def say(self, method: str, **params: object) -> dict:
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        told = self._hear(lambda message: message.get("id") == number)
        assert "error" not in told, told
        return told["result"]

    def open(self, url: str) -> None:
        self.say("Page.enable")
        self.say("Network.enable")
        self.say("Page.navigate", url=url)
        self._hear(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, script: str) -> dict:
        """What *script*, or the promise it gives, comes to."""
        how = {"awaitPromise": True, "returnByValue": True}
        told = self.say("Runtime.evaluate", expression=script, **how)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def upload(self, paths: list[Path], token: str, before: str = "") -> dict[str, str]:
        """Choose *paths* in the file dialog and press Upload; as ``outcome``."""
        found = self.say("Runtime.evaluate", expression="document.forms[0].files")["result"]
        self.say("DOM.setFileInputFiles", files=[*map(str, paths)], objectId=found["objectId"])
        self.run(typed(token))
        return self.outcome(f"{before}; document.forms[0].requestSubmit()")

    def outcome(self, action: str) -> dict[str, str]:
        """Do *action*; each file's key, or its error, when Uppy is done."""
        each = "(file) => [file.name, file.error ?? file.response.body.key]"
        done = f"({{ successful, failed }}) => told([...successful, ...failed].map({each}))"
        script = f"new Promise((told) => {{ uppy.once('complete', {done}); {action} }})"
        return dict(self.run(script))

    def sent(self, url: str) -> list[str]:
        """``METHOD URL`` of every request below *url* but preflights."""
        requests = [params["request"] for params in self._all("Network.requestWillBeSent")]
        ours = [r for r in requests if r["url"].startswith(url) and r["method"] != "OPTIONS"]
        return [f"{request['method']} {request['url']}" for request in ours]

    def refused(self, url: str) -> list[str]:
        """Answers from below *url* that are errors, and all that got no answer."""
        answers = [params["response"] for params in self._all("Network.responseReceived")]
        wrong = [a for a in answers if a["url"].startswith(url) and a["status"] >= 400]
        lost = [failed for failed in self._all("Network.loadingFailed") if not failed["canceled"]]
        return [f"{a['status']} {a['url']}" for a in wrong] + [f["errorText"] for f in lost]

    def _all(self, method: str) -> list[dict]:
        return [event["params"] for event in self.heard if event.get("method") == method]

    def _hear(self, is_it: Callable[[dict], bool]) -> dict:
        """The next message that is it; those before are kept."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_it(message := json.loads(self.socket.recv(deadline - time.monotonic()))):
            self.heard.append(message)
        return message


def typed(token: str) -> str:
    return f"document.forms[0].token.value = {json.dumps(token)}"


def after_a_part(action: str) -> str:
    return f"uppy.once('s3-multipart:part-uploaded', (file) => {{ {action} }})"


@pytest.fixture(scope="module")
def chromium() -> str:
    return shutil.which("chromium") or shutil.which("google-chrome") or unavailable("Chromium")


@pytest.fixture(scope="module")
def example(chromium, tmp_path_factory):
    """The example, installed and built as its readers do it."""
    npm = shutil.which("npm") or unavailable("npm")
    copy = tmp_path_factory.mktemp("uppy") / "example"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("node_modules"))
    for words in ("ci --ignore-scripts --no-audit --no-fund", "run build"):
        subprocess.run([npm, *words.split()], cwd=copy, check=True)  # pytest shows what it says
    return copy


@pytest.fixture(scope="module")
def website(example):
    """Host and port where the example is served."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(example))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def devtools(stack, chromium, website, tmp_path_factory):
    """A running Chromium's DevTools address."""
    home, rules = tmp_path_factory.mktemp("chromium"), f"MAP {page_host(stack)} {website}"
    command = [chromium, *FLAGS, f"--user-data-dir={home}", f"--host-resolver-rules={rules}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stderr.readline, "")
            found = (re.search(r"listening on ws://([^/]+)", line) for line in lines)
            address = next(filter(None, found))[1]
            # The rest is read too, or Chromium would wait for a reader.
            reader = threading.Thread(target=deque, args=(process.stderr, 0))
            reader.start()
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()
        reader.join()


def page_host(stack) -> str:
    return stack.url.removeprefix("http://").replace("127.0.0.1", "localhost")


@pytest.fixture
def page(stack, devtools):
    opened = httpx.put(f"{devtools}/json/new?about:blank", timeout=30).raise_for_status().json()
    with connect(opened["webSocketDebuggerUrl"], max_size=None, compression=None) as socket:
        page = Page(socket)
        page.open(f"http://{page_host(stack)}/?gateway={stack.url}")
        yield page


@pytest.fixture
def grace(stack, tiers) -> str:
    tiers(premium={"multipartThreshold": THRESHOLD})
    return stack.new_user("grace")


def write(path: Path, size: int = LARGE) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def stored(stack, token: str, keys: dict[str, str]) -> dict[str, str]:
    """What each of the user's files holds once it is stored, by name, as its SHA-256."""
    for key in keys.values():
        poll_upload(stack.url, token, key, "stored")
    files = list_all(stack.url, token)
    assert {file["name"]: file["fileId"] for file in files} == keys
    got = {file["name"]: httpx.get(file["downloadUrl"], timeout=120) for file in files}
    return {name: digest(answer.content) for name, answer in got.items()}


def parts_sent(stack, page) -> list[int]:
    sent = page.sent(stack.settings["AWS_ENDPOINT_URL"])
    return [int(number) for line in sent for number in re.findall(r"partNumber=(\d+)", line)]


def test_uppy_sends_small_files_whole_and_large_ones_in_parts(stack, page, grace, tmp_path):
    sizes = {"tiny.txt": 1, "edge.bin": THRESHOLD, "over.bin": THRESHOLD + 1, "big.bin": LARGE}
    paths = [write(tmp_path / name, size) for name, size in sizes.items()]
    keys = page.upload(paths, grace)
    assert stored(stack, grace, keys) == {path.name: digest(path.read_bytes()) for path in paths}
    assert page.refused("http") == []
    sent = page.sent(stack.settings["AWS_ENDPOINT_URL"])
    assert [line.split()[0] for line in sent] == ["PUT"] * 6
    assert sorted(parts_sent(stack, page)) == [1, 1, 2, 3]


def test_after_a_pause_only_the_missing_parts_are_sent(stack, page, grace, tmp_path):
    path = write(tmp_path / "paused.bin")
    keys = page.upload([path], grace, after_a_part("uppy.pauseAll(); uppy.resumeAll()"))
    assert stored(stack, grace, keys) == {path.name: digest(path.read_bytes())}
    assert parts_sent(stack, page) == [1, 2, 3]
    assert page.refused("http") == []


def test_a_refusal_is_told_and_a_retry_goes_on_where_it_was(stack, page, grace, tmp_path):
    path = write(tmp_path / "expired.bin")
    expired = stack.bad_token("expired", "grace")
    told = {path.name: "this token has expired; log in again"}
    assert page.upload([path], expired) == told
    expire = after_a_part(typed(expired))
    assert page.outcome(f"{typed(grace)}; {expire}; uppy.retryAll()") == told
    keys = page.outcome(f"{typed(grace)}; uppy.retryAll()")
    assert stored(stack, grace, keys) == {path.name: digest(path.read_bytes())}
    assert parts_sent(stack, page) == [1, 2, 3]
    assert page.refused(stack.settings["AWS_ENDPOINT_URL"]) == []


def test_a_file_removed_half_way_is_cancelled(stack, page, grace, tmp_path):
    path = write(tmp_path / "removed.bin")
    page.upload([path], grace, after_a_part("uppy.removeFile(file.id)"))
    [file_id] = re.findall(r"/uploads/(\S+)/parts", "\n".join(page.sent(stack.url)))
    poll_upload(stack.url, grace, file_id, "cancelled")
    assert list_all(stack.url, grace) == []
    assert parts_sent(stack, page) == [1]
