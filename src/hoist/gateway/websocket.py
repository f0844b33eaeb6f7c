"""One socket's life: frames in, actions, events out; and when it ends."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from flask import Request

from hoist import telemetry
from hoist.domain import strict_json
from hoist.domain.errors import HoistError, SlowDown, TokenExpired
from hoist.domain.model import Principal
from hoist.domain.volatile import Connection
from hoist.gateway import problems
from hoist.gateway.actions import Actions, error_frame
from hoist.gateway.flood import REFUSAL_SECONDS, FloodGuard
from hoist.gateway.joins import Joins
from hoist.gateway.sessions import GOING_AWAY, Session, Sessions
from hoist.gateway.socket import ConnectionClosed, SafeServer
from hoist.wiring import Services

logger = logging.getLogger(__name__)
TOKEN_EXPIRED = 4401
RECEIVE_SECONDS = 30.0
TURN_FRAMES = 4  # of one socket, until all others have had their turn


class SocketLife:
    """Serves every socket of this process, each until its peer goes, or its time is over."""

    def __init__(
        self, services: Services, sessions: Sessions, guard: FloodGuard, joins: Joins
    ) -> None:
        self._services, self._sessions = services, sessions
        self._guard, self._joins = guard, joins

    def __call__(self, socket: SafeServer, principal: Principal, request: Request) -> None:
        services = self._services
        session = Session(socket, principal)
        connection = Connection(
            session.connection_id,
            principal.user_id,
            services.settings.gateway_url,
            services.clock(),
            request.remote_addr or "",
            request.headers.get("User-Agent", "")[:200],
        )
        services.feed.add(principal.user_id)
        self._sessions.open(session)
        services.connections.add(connection)
        try:
            socket.accept()  # only now: what its user is told from here on reaches it
            logger.info("socket opened", extra={"connectionId": session.connection_id})
            self._converse(session)
        except ConnectionClosed:
            pass
        finally:
            self._sessions.close(session)
            services.connections.remove(connection)
            services.feed.remove(principal.user_id)
            logger.info("socket closed", extra={"connectionId": session.connection_id})

    def _converse(self, session: Session) -> None:
        actions = Actions(self._services, session, self._guard, self._joins)
        session.own_thread, served = threading.get_ident(), 0
        while True:
            left_seconds = self._left_seconds(session)
            if left_seconds is None:
                return
            text = session.socket.receive(timeout=min(RECEIVE_SECONDS, left_seconds))
            while text is not None and session.principal.expires_at > self._services.clock() / 1000:
                session.last_active_at = time.time()
                _answer(actions, session, text)
                served += 1
                if actions.is_full or not session.socket.is_behind:
                    break
                if served % TURN_FRAMES == 0:
                    session.drain()
                    time.sleep(0)  # who sends without a pause has never to wait: the others would
                text = session.socket.receive()
            actions.flush()
            session.drain()
            if text is not None and served % TURN_FRAMES == 0:
                time.sleep(0)  # nor who has always just one more

    def _left_seconds(self, session: Session) -> float | None:
        """How long the socket may wait for a frame; None once it has been told to end.

        Idle and maximum age are API Gateway's (AWS-CONTRACTS section 1); a token ends mid-life.
        """
        now, settings = time.time(), self._services.settings
        token_left = session.principal.expires_at - self._services.clock() / 1000
        idle_left = session.last_active_at + settings.socket_idle_seconds - now
        age_left = session.opened_at + settings.socket_age_seconds - now
        if token_left <= 0:
            error = TokenExpired("the token has expired; connect again with a fresh one")
            session.send(error_frame(error, None, telemetry.new_trace()))
            self._end(session, TOKEN_EXPIRED, "token expired")
        elif idle_left <= 0:
            self._end(session, GOING_AWAY, "Idle connection")
        elif age_left <= 0:
            self._end(session, GOING_AWAY, "Maximum age reached")
        else:
            return min(token_left, idle_left, age_left)
        return None

    def _end(self, session: Session, code: int, reason: str) -> None:
        session.flush()
        session.close(code, reason)


def _answer(actions: Actions, session: Session, text: str) -> None:
    trace_id = telemetry.new_trace()
    telemetry.bind(trace_id)
    message_id: str | None = None
    try:
        data: Any = strict_json.decode(text)
        if isinstance(data, dict) and isinstance(data.get("messageId"), str):
            message_id = data["messageId"][:128]
        actions.run(data, trace_id)
    except HoistError as error:
        actions.flush()  # what came first is answered first
        session.send(error_frame(error, message_id, trace_id))
        session.drain()
        if not isinstance(error, SlowDown):
            time.sleep(REFUSAL_SECONDS)  # whatever is wrong: sent as a flood, it costs work too
    except ConnectionClosed:
        raise
    except Exception:
        # One frame's bug must not end every upload on this socket.
        logger.exception("frame failed")
        actions.flush()
        session.send(error_frame(HoistError(problems.OUR_FAULT), message_id, trace_id))
