"""The routes of the dead letter desk."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, request

from hoist.admin.requests import REPLAY_SECONDS_MAX, LetterQuery, ReplayRequest
from hoist.domain.errors import InvalidRequest
from hoist.domain.frames import from_client
from hoist.gateway.bodies import Caller, body
from hoist.pipeline.decision_book import DecisionBook
from hoist.pipeline.letter_views import letter_view, outcome_view, whole_letter_view
from hoist.pipeline.letters import Letter
from hoist.wiring import Services


def install(app: Flask, services: Services, caller: Caller) -> None:
    desk = services.dead_letters

    def whole(letter: Letter) -> Response:
        return jsonify(whole_letter_view(letter, services.clock()))

    @app.get("/admin/dlq")
    def letters() -> Response:
        caller()
        query = from_client(LetterQuery, _members())
        found, following = desk.page(query.wanted(), query.limit, query.after)
        views = [letter_view(letter, services.clock()) for letter in found]
        return jsonify({"letters": views, "next": following})

    @app.get("/admin/dlq/<letter_id>")
    def letter(letter_id: str) -> Response:
        caller()
        return whole(desk.get(letter_id))

    @app.put("/admin/dlq/<letter_id>/payload")
    def payload(letter_id: str) -> Response:
        by = caller().user_id
        return whole(desk.edit(letter_id, request.get_data(), by))

    @app.delete("/admin/dlq/<letter_id>")
    def drop(letter_id: str) -> Response:
        by = caller().user_id
        return whole(desk.drop(letter_id, request.args.get("reason", ""), by))

    @app.post("/admin/dlq/replay")
    def replay() -> Response:
        by = caller().user_id
        asked = body(ReplayRequest)
        if asked.seconds > REPLAY_SECONDS_MAX:
            raise InvalidRequest(
                f"this would take over {REPLAY_SECONDS_MAX} s: lower the limit, then go on",
                "perSecond",
            )
        book = desk.book()
        chosen, following = _chosen(services, asked, book)
        outcomes = [outcome_view(one) for one in services.replay(chosen, asked.order(by), book)]
        return jsonify({"outcomes": outcomes, "next": following})


def _chosen(
    services: Services, asked: ReplayRequest, book: DecisionBook
) -> tuple[list[Letter], str | None]:
    """The letters that are meant, and where the next request goes on."""
    desk = services.dead_letters
    if (asked.ids is None) is (asked.filter is None):
        raise InvalidRequest("send ids, or a filter", "ids")
    if asked.filter is None:
        return [desk.get(one, book) for one in dict.fromkeys(asked.ids or ())], None
    return desk.page(asked.filter.wanted(), asked.limit, asked.after, book)


def _members() -> dict[str, Any]:
    """The query's parameters. Raises ``InvalidRequest`` for one that is there twice."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given twice", name)
    members: dict[str, Any] = dict(request.args)
    if "groups" in members:
        members["groups"] = members["groups"].split(",")
    return members
