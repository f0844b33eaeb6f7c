"""Archives over REST: ask for one, look at it. Their bytes never come this way."""

from __future__ import annotations

from flask import Flask, Response, g, jsonify, request

from hoist.domain.errors import InvalidRequest
from hoist.gateway.bodies import Caller
from hoist.gateway.queries import listing_of
from hoist.wiring import Services


def install(app: Flask, services: Services, caller: Caller) -> None:
    @app.post("/archives")
    def archive() -> tuple[Response, int, dict[str, str]]:
        principal = caller()
        if request.get_data():
            raise InvalidRequest("the filters go into the query, as in GET /files; send no body")
        view = services.archives.ask(principal, listing_of(request.args), g.trace_id)
        return jsonify(view), 202, {"Location": f"/archives/{view['archiveId']}"}

    @app.get("/archives/<archive_id>")
    def one_archive(archive_id: str) -> Response:
        user_id = caller().user_id
        return jsonify(services.archives.look(user_id, archive_id))
