"""The handshake of a WebSocket (RFC 6455 section 4.2), out of a WSGI environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from hoist.domain.errors import InvalidRequest

HINT = "connect with a WebSocket client, of version 13"
# Of the headers of a handshake; extensions may be offered, and none is agreed on.
NAMES = (
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
)


def answer_to(protocol: ServerProtocol, environ: Mapping[str, Any]) -> bytes:
    """The answer to the handshake in *environ*, which agrees on no extension.

    Raises ``InvalidRequest`` when there is none.
    """
    headers = Headers()
    for name in NAMES:
        if found := environ.get("HTTP_" + name.upper().replace("-", "_")):
            headers[name] = found
    try:
        key, _, _ = protocol.process_request(Request("/ws", headers))
    except InvalidHandshake as error:
        raise InvalidRequest(f"{HINT}: {error} (RFC 6455)") from error
    answer = Headers(Upgrade="websocket", Connection="Upgrade")
    answer["Sec-WebSocket-Accept"] = key
    return Response(101, "Switching Protocols", answer).serialize()
