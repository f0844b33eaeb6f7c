"""Who may pass: tokens, tickets and origins, checked before anything else, the same for both
transports."""

from __future__ import annotations

from flask import Request

from hoist.domain.errors import Forbidden, Unauthorized
from hoist.domain.model import Principal
from hoist.wiring import Services

TICKET_LIVES_SECONDS = 30


def bearer(services: Services, request: Request) -> Principal:
    """The principal of the ``Authorization`` header. Raises ``Unauthorized``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send an access token: Authorization: Bearer <token>")
    return services.verifier.verify(token.strip())


def socket_principal(services: Services, request: Request) -> Principal:
    """Who may open a socket: a header's token, or a browser's one-time ticket.

    Raises ``Unauthorized`` or ``Forbidden`` before the upgrade.
    """
    origin = request.headers.get("Origin")
    allowed = services.settings.origins.split(",")
    if origin is not None and origin not in allowed:
        raise Forbidden("this origin may not open sockets; see HOIST_ORIGINS")
    if "Authorization" in request.headers:
        return bearer(services, request)
    ticket = request.args.get("ticket", "")
    if ticket and origin is None:
        raise Forbidden("tickets are for browsers, which send an Origin")
    principal = services.tickets.redeem(ticket) if ticket else None
    if principal is None:
        raise Unauthorized("send an access token, or a fresh ticket from POST /ws/ticket")
    return principal
