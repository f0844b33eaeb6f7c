"""Scenarios of connections: very many that rest, some that do not read, some that never finish."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import psutil
import redis as redis_library
from websockets.asyncio.client import ClientConnection, connect

from emulation.native.services import GATEWAYS
from loadtest import truth
from loadtest.people import User
from tests.chaos.case import Case
from tests.chaos.clients import Client, Habits
from tests.chaos.course import scenario
from tests.peers import bare, held, say_to_all

KILOBYTES_EACH_MAX = 64
# More than the buffers on the way and the gateway's queue hold together.
STALLING_EVENTS = 300


@scenario("sockets", "R12", "idle sockets all hear what is told to all; who never reads is cut")
def sockets(case: Case) -> None:
    case.facts |= asyncio.run(_sockets(case, case.lab.size(1000, 5000)))


async def _sockets(case: Case, count: int) -> dict[str, object]:
    gateways = [process for name in GATEWAYS for process in _family(_process(case, name))]
    urls = case.lab.direct["HOIST_URL"].split(",")
    ports = [int(urlsplit(url).port or 80) for url in urls]
    before, rest = _bytes(gateways), _held(case, ports)
    opened: list[ClientConnection] = []
    gate = asyncio.Semaphore(50)

    async def one(number: int) -> None:
        user, url = case.users[number % len(case.users)], case.lab.urls[number % 2]
        async with gate:
            opened.append(
                await connect(
                    url.replace("http", "ws", 1) + "/ws",
                    additional_headers=user.headers,
                    compression=None,
                    open_timeout=60,
                    ping_interval=None,
                )
            )

    await asyncio.gather(*(one(number) for number in range(count)))
    kilobytes = round((_bytes(gateways) - before) / count / 1024, 1)
    if kilobytes > KILOBYTES_EACH_MAX:
        case.complain("I8", "gateways", f"{kilobytes} KB a socket")
    cut, silence = await _while_some_never_read(case, opened, max(1, count // 100), urls)
    heard = await _push_to_all(case, opened)
    if heard != count:
        case.complain("I8", "sockets", f"{heard} of {count} heard what was pushed to all")
    for each in opened:
        await each.close()
    if truth.wait_until(lambda: _held(case, ports) <= rest, 30) is None:
        case.complain("I8", "gateways", f"{_held(case, ports)} connections left, {rest} before")
    return {
        "sockets": count,
        "KB each": kilobytes,
        "heard": heard,
        "never read": cut,
        "longest ping beside them seconds": silence,
    }


async def _while_some_never_read(
    case: Case, opened: list[ClientConnection], count: int, urls: list[str]
) -> tuple[int, float]:
    """Sockets that read nothing of what they are told; how many were cut, and the others' wait."""
    deaf = case.lab.user("grace", "premium")
    peers = [bare(urls[number % 2], deaf.token) for number in range(count)]
    with redis_library.Redis.from_url(case.lab.direct["HOIST_REDIS_URL"]) as wire:
        said = asyncio.create_task(asyncio.to_thread(_say_much, wire, deaf.user_id))
        longest, deadline = 0.0, time.monotonic() + 60
        left = set(range(count))
        while left and time.monotonic() < deadline:
            asked = time.monotonic()
            pong = await opened[0].ping()
            await asyncio.wait_for(pong, 30)
            longest = max(longest, time.monotonic() - asked)
            if said.done():
                left = {number for number in left if not _is_over(peers[number])}
            await asyncio.sleep(0.1)
        await said
    for peer in peers:
        peer.close()
    if left:
        case.complain("I8", "gateways", f"{len(left)} of {count} who never read are still there")
    return count - len(left), round(longest, 2)


def _say_much(wire: redis_library.Redis, user_id: str) -> None:
    for number in range(STALLING_EVENTS):
        say_to_all(wire, user_id, number)
        time.sleep(0.01)  # the feed is read by all: not all of it at once


def _is_over(peer: socket.socket) -> bool:
    """Whether the other side hung up, behind whatever was not read yet."""
    peer.setblocking(False)
    try:
        while peer.recv(1024 * 1024):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _process(case: Case, gateway: str) -> psutil.Process:
    pid = case.lab.pid(gateway)
    assert pid is not None, f"{gateway} does not run"  # of None psutil makes this process
    return psutil.Process(pid)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _bytes(processes: list[psutil.Process]) -> int:
    return sum(each.memory_info().rss for each in processes)


def _held(case: Case, ports: list[int]) -> int:
    return sum(held(_process(case, name), port) for name, port in zip(GATEWAYS, ports, strict=True))


async def _push_to_all(case: Case, opened: list[ClientConnection]) -> int:
    """One upload per user; every socket of theirs must hear that it was stored."""
    loop = asyncio.get_running_loop()
    hearing = [asyncio.create_task(_hears(each)) for each in opened]
    for user in case.users:
        await loop.run_in_executor(None, _upload, case, user)
    done = await asyncio.wait_for(asyncio.gather(*hearing), 120)
    return sum(done)


async def _hears(socket: ClientConnection) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            async for text in socket:
                if json.loads(text)["event"] == "upload.stored":
                    return True
    return False


def _upload(case: Case, user: User) -> None:
    client = Client(case.ledger, [user], case.lab.urls, case.seed, Habits(sends=1, drops=0))
    client.upload(lambda: False)
    client.close()


@scenario("slow", "R13", "peers that drip, stop midway or answer no ping are cut, nobody waits")
def slow(case: Case) -> None:
    count = case.lab.size(100, 500)
    url = case.lab.direct["HOIST_URL"].split(",")[0]  # a proxy waits for whole headers
    kinds = tuple(_KINDS)
    peers = {
        number: _KINDS[kinds[number % len(kinds)]][0](url, case.users[0]) for number in range(count)
    }
    began, worst = time.monotonic(), 0.0
    cut = dict.fromkeys(kinds, 0.0)
    left = dict(peers)
    with case.load(20):
        while left and time.monotonic() - began < 1.5 * SECONDS_MAX:
            for number, peer in list(left.items()):
                kind = kinds[number % len(kinds)]
                if _is_cut(peer, _KINDS[kind][1]):
                    cut[kind] = round(time.monotonic() - began, 1)
                    del left[number]
            asked = time.monotonic()
            httpx.get(f"{url}/healthz", timeout=30)
            worst = max(worst, time.monotonic() - asked)
            time.sleep(0.5)
    case.facts |= {"peers": count, "longest new connection seconds": round(worst, 2)}
    case.facts |= {f"{kind}: last cut after seconds": seconds for kind, seconds in cut.items()}
    if worst > 5:
        case.complain("I8", "gateway", f"a new connection waited {worst:.1f} s")
    for number in left:
        case.complain("I8", "gateway", f"a peer still holds it: {kinds[number % len(kinds)]}")
    for peer in peers.values():
        peer.close()


def _plain(url: str, said: bytes) -> socket.socket:
    parts = urlsplit(url)
    peer = socket.create_connection((str(parts.hostname), int(parts.port or 80)), 10)
    peer.sendall(said)
    return peer


def _headers(url: str, _: User) -> socket.socket:
    return _plain(url, b"GET /files HTTP/1.1\r\nHost: x\r\n")


def _body(url: str, user: User) -> socket.socket:
    head = f"POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    return _plain(url, head.encode())


def _half_a_frame(url: str, user: User) -> socket.socket:
    peer = bare(url, user.token)
    peer.sendall(b"\x81\xfe\x40\x00" + bytes(4) + b"half of it")
    return peer


def _no_pong(url: str, user: User) -> socket.socket:
    return bare(url, user.token)


# Of each kind: how it begins, and what it says again and again.
_KINDS: dict[str, tuple[Callable[[str, User], socket.socket], bytes]] = {
    "headers": (_headers, b"X"),
    "body": (_body, b" "),
    "half a frame": (_half_a_frame, b"x"),
    "no pong": (_no_pong, b""),
}
SECONDS_MAX = 60.0  # a socket's: two pings; headers and bodies have less (hoist.gateway.patience)


def _is_cut(peer: socket.socket, drip: bytes) -> bool:
    """Drips a little more, as such peers do, and looks whether somebody hung up."""
    peer.settimeout(0.001)
    try:
        peer.sendall(drip)
        while peer.recv(4096):  # a refusal, a ping, a goodbye
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True
