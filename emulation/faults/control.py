"""Toxics come and go over HTTP, on a port of its own; every answer is JSON.

GET    /proxies                         every target: its route, open connections, toxics
POST   /proxies/TARGET/toxics           {"type", "name", "stream", "toxicity", "attributes", "seed"}
DELETE /proxies/TARGET/toxics/NAME
POST   /reset                           no toxic is left anywhere
GET    /counts                          connections, requests and faults so far, by target

A change is in force once it is answered.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from emulation.faults.framing import parse
from emulation.faults.target import HOST, Target
from emulation.faults.toxics import NoSuchToxic, Toxic


class Control:
    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets

    async def open(self, port: int) -> None:
        await asyncio.start_server(self._serve, HOST, port)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One request a connection."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raw = await reader.readuntil(b"\r\n\r\n")
            head = parse(raw)
            body = await reader.readexactly(head.length) if head else b""
            method, path, _ = raw.decode("latin-1").split(" ", 2)
            status, told = await self._answer(method, path, body)
            text = json.dumps(told).encode()
            lines = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            lines += f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
            writer.write(lines.encode() + text)
            await writer.drain()
        writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[str, Any]:
        try:
            return "200 OK", await self._do(method, path.strip("/").split("/"), body)
        except KeyError as error:
            return "404 Not Found", {"error": f"there is no {error}"}
        except (ValueError, TypeError) as error:
            return "400 Bad Request", {"error": str(error)}

    async def _do(self, method: str, path: list[str], body: bytes) -> Any:
        match method, path:
            case "GET", ["proxies"]:
                return {name: target.told() for name, target in self._targets.items()}
            case "GET", ["counts"]:
                return {name: target.counts() for name, target in self._targets.items()}
            case "POST", ["reset"]:
                for target in self._targets.values():
                    for name in list(target.toxics):
                        await target.remove(name)
                return {}
            case "POST", ["proxies", name, "toxics"]:
                toxic = Toxic(**json.loads(body))
                if toxic.type == "errors" and not self._targets[name].speaks_http:
                    raise NoSuchToxic(f"{name} is not HTTP: nobody can answer errors there")
                await self._targets[name].add(toxic)
                return toxic.told()
            case "DELETE", ["proxies", name, "toxics", toxic_name]:
                await self._targets[name].remove(toxic_name)
                return {}
        raise KeyError("/".join(path))
