"""One WebSocket for many uploads: a reader thread hands each event to the upload it is about."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from hoist.client.keeper import LOOK_SECONDS, Keeper
from hoist.client.problems import HoistProblem, Stopped, Unreachable, problem_from
from hoist.client.rest import Gateways
from hoist.client.tokens import TokenSource
from hoist.client.views import OnEvent

MESSAGE_BYTES_MAX = 1 << 20
TOKEN_EXPIRED = 4401
CANCELLED = "upload.cancelled"
EVERYTHING = ""  # the conversation that hears all events

Event = Mapping[str, Any]


class Conversation:
    """What one upload says and hears; it outlives the connection."""

    def __init__(self, socket: Socket, message_id: str) -> None:
        self._socket = socket
        self.message_id = message_id
        self.is_cancelled = False
        self._heard: SimpleQueue[Event | None] = SimpleQueue()

    def say(self, frame: Mapping[str, Any]) -> None:
        """Send *frame*, over a new connection if need be. Raises ``Unreachable``."""
        self._socket.send(frame)

    def say_if_open(self, frame: Mapping[str, Any]) -> None:
        """Send *frame* if that needs no new connection, else forget it."""
        self._socket.send_if_open(frame)

    def hear(self, timeout_seconds: float | None) -> Event | None:
        """The next event, None after the timeout (if any).

        Raises ``Unreachable`` once per lost connection, after the events that came before.
        """
        try:
            event = self._heard.get(timeout=timeout_seconds)
        except Empty:
            return None
        if event is None:
            raise Unreachable("the gateway closed the connection")
        return event

    def put(self, event: Event | None) -> None:
        """What the reader has for us; None when the connection is lost."""
        self.is_cancelled = self.is_cancelled or bool(event and event["event"] == CANCELLED)
        self._heard.put(event)


class Socket:
    """Connects at the first frame, and again at the first frame after a loss."""

    def __init__(
        self,
        gateways: Gateways,
        tokens: TokenSource,
        on_event: OnEvent,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._gateways = gateways
        self._tokens = tokens
        self._on_event = on_event
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._connection: ClientConnection | None = None
        self._reader: threading.Thread | None = None
        self._refused: str | None = None
        self._is_closed = False
        self._conversations: dict[str, Conversation] = {}

    @contextmanager
    def conversation(self, message_id: str) -> Iterator[Conversation]:
        """Hear the events of *message_id*, or of ``EVERYTHING``, while the block runs."""
        conversation = Conversation(self, message_id)
        self._conversations[message_id] = conversation
        try:
            yield conversation
        finally:
            for key, other in list(self._conversations.items()):
                if other is conversation:
                    del self._conversations[key]

    def send(self, frame: Mapping[str, Any]) -> None:
        with self._lock:
            if self._is_closed:
                raise Stopped
            connection = self._connection or self._connect()
        try:
            connection.send(json.dumps(frame))
        except ConnectionClosed as error:
            raise Unreachable("the gateway closed the connection") from error

    def send_if_open(self, frame: Mapping[str, Any]) -> None:
        if connection := self._connection:
            try:
                connection.send(json.dumps(frame))
            except ConnectionClosed:
                return  # the reader tells everybody who waits

    def close(self) -> None:
        """For good; who waits for an event hears of the loss. A second call changes nothing."""
        with self._lock:
            self._is_closed = True
            connection, reader = self._connection, self._reader
        if connection and reader:
            connection.close()
            reader.join()

    def _connect(self) -> ClientConnection:
        token = self._tokens.access_token(refused=self._refused)
        try:
            url, connection = self._open(token)
        except HoistProblem as problem:
            if problem.status != 401:
                raise
            token = self._tokens.access_token(refused=token)
            url, connection = self._open(token)
        self._connection = connection
        keeper = Keeper(connection, token, self._tokens, self._on_event, self._look_seconds)
        self._reader = threading.Thread(
            target=self._read, args=(url, connection, keeper), name="hoist-socket", daemon=True
        )
        self._reader.start()
        return connection

    def _open(self, token: str) -> tuple[str, ClientConnection]:
        """A connection to the first gateway that takes us, and which that is."""
        last: Exception | None = None
        for url in self._gateways.in_order():
            try:
                connection = connect(
                    "ws" + url.removeprefix("http") + "/ws",
                    additional_headers={"Authorization": f"Bearer {token}"},
                    compression=None,
                    max_size=MESSAGE_BYTES_MAX,
                ).__enter__()  # close() leaves it: it outlives every block we could write
            except InvalidStatus as error:
                if error.response.status_code < 500:
                    raise _refusal(error) from error
                last = error
            except (OSError, WebSocketException) as error:
                last = error
            else:
                self._gateways.prefer(url)
                return url, connection
        raise Unreachable(f"no gateway answers at {self._gateways}") from last

    def _read(self, url: str, connection: ClientConnection, keeper: Keeper) -> None:
        """Runs in its thread until *connection* is lost."""
        close_code = None
        try:
            while True:
                self._dispatch(json.loads(connection.recv()))
        except ConnectionClosed as closed:
            close_code = closed.rcvd.code if closed.rcvd else None
        finally:
            keeper.stop()
            self._lost(url, keeper.token if close_code == TOKEN_EXPIRED else None)
            keeper.join()

    def _lost(self, url: str, refused: str | None) -> None:
        """Tell every conversation, so that none waits for what cannot come."""
        with self._lock:
            self._connection = None
            self._refused = refused or self._refused
        if refused is None:
            self._gateways.avoid(url)
        for conversation in set(self._conversations.copy().values()):
            conversation.put(None)

    def _dispatch(self, event: dict[str, Any]) -> None:
        self._on_event(str(event.get("event")), event, time.time())
        file = event.get("file") or {}
        ids = (event.get("messageId"), event.get("fileId"), file.get("messageId"), EVERYTHING)
        for name in ids:
            if name is not None and (conversation := self._conversations.get(name)):
                conversation.put(event)
                return


def _refusal(error: InvalidStatus) -> HoistProblem:
    """The problem in the answer to a handshake."""
    status = error.response.status_code
    try:
        body = json.loads(error.response.body or b"")
    except ValueError:
        body = {"code": "unauthorized" if status == 401 else "http_error"}
    return problem_from(body, status, f"the gateway refused the socket with {status}")
