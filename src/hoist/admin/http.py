"""The admin API: who may enter, and its routes."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, request

from hoist.admin import dead_letters, openapi
from hoist.domain.errors import Forbidden
from hoist.domain.model import Principal
from hoist.gateway import authorizer, health, problems, tracing
from hoist.gateway import openapi as serving
from hoist.wiring import Services

logger = logging.getLogger(__name__)
BODY_BYTES_MAX = 1024 * 1024
ROLE = "admin"


def create_app(services: Services) -> Flask:
    app = Flask("hoist-admin", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX

    def caller() -> Principal:
        """Raises ``Unauthorized``, ``Forbidden``."""
        principal = authorizer.bearer(services, request)
        g.user_id = principal.user_id
        if ROLE not in principal.roles:
            raise Forbidden(f"this is for tokens with the role {ROLE}")
        return principal

    @app.after_request
    def told(response: Response) -> Response:
        """Who did what: also those who may not."""
        if "user_id" in g:
            what = {"method": request.method, "path": request.path, "status": response.status_code}
            logger.info("admin request", extra={"by": g.user_id, **what})
        return response

    problems.install(app)
    tracing.install(app, services.settings.origins)
    dead_letters.install(app, services, caller)
    health.install(app, services)
    serving.install(app, openapi.document())
    return app
