"""The routes of files: lists, one file, its changes and its history."""

from __future__ import annotations

import re

from flask import Flask, Response, g, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from hoist.domain.errors import InvalidRequest
from hoist.domain.frames import FileChange
from hoist.domain.model import FileRecord
from hoist.domain.policy import check_folder, check_name
from hoist.gateway.bodies import Caller, body
from hoist.gateway.queries import PAGING, check_names, listing_of, number_of
from hoist.pipeline.change import Delete, Edit, Restore, Wish
from hoist.wiring import Services


def install(app: Flask, services: Services, caller: Caller) -> None:
    _reading(app, services, caller)
    _changing(app, services, caller)


def _reading(app: Flask, services: Services, caller: Caller) -> None:
    @app.get("/files")
    def files() -> Response:
        user_id, query = caller().user_id, request.args
        listing = listing_of(query, *PAGING)
        limit = number_of(query, "limit")
        return jsonify(services.files.list(user_id, listing, limit, query.get("cursor")))

    @app.get("/files/<file_id>")
    def one_file(file_id: str) -> Response:
        user_id = caller().user_id
        return _answer(services.files.get(user_id, file_id))

    @app.get("/files/<file_id>/content")
    def content(file_id: str) -> BaseResponse:
        user_id = caller().user_id
        is_look = request.method == "HEAD"
        url = services.files.download_url(user_id, file_id, g.trace_id, is_told=not is_look)
        return redirect(url, 302)

    @app.get("/files/<file_id>/timeline")
    def timeline(file_id: str) -> Response:
        user_id = caller().user_id
        return jsonify(services.history.timeline(user_id, file_id))

    @app.get("/files/<file_id>/downloads")
    def downloads(file_id: str) -> Response:
        user_id = caller().user_id
        return jsonify(services.history.downloads(user_id, file_id))


def _changing(app: Flask, services: Services, caller: Caller) -> None:
    def change(file_id: str, wish: Wish, user_id: str) -> FileRecord | None:
        if_revision, key = _if_match(), _idempotency_key()
        return services.change_file(
            user_id, file_id, wish, g.trace_id, if_revision=if_revision, key=key
        )

    def told(file_id: str, row: FileRecord | None) -> Response:
        """The file; or where to look for it, when the change takes its time."""
        if row is None:
            response = jsonify({"fileId": file_id, "state": "changing"})
            response.status_code = 202
            response.headers["Location"] = f"/files/{file_id}"
            return response
        return _answer(services.files.view(row))

    @app.patch("/files/<file_id>")
    def patch(file_id: str) -> Response:
        user_id, wanted = caller().user_id, body(FileChange)
        if wanted.name is not None:
            check_name(wanted.name, "name")
        if wanted.folder is not None:
            check_folder(wanted.folder, "folder")
        edit = Edit(wanted.name, wanted.folder, wanted.visibility)
        return told(file_id, change(file_id, edit, user_id))

    @app.delete("/files/<file_id>")
    def delete(file_id: str) -> Response:
        user_id = caller().user_id
        check_names(request.args, "permanently")
        permanently = request.args.get("permanently", "false")
        if permanently not in ("true", "false"):
            raise InvalidRequest("permanently is true or false", "permanently")
        wish = Delete(is_permanent=permanently == "true")
        row = change(file_id, wish, user_id)
        return Response(status=204) if row and wish.is_permanent else told(file_id, row)

    @app.post("/files/<file_id>/restore")
    def restore(file_id: str) -> Response:
        user_id = caller().user_id
        return told(file_id, change(file_id, Restore(), user_id))


def _if_match() -> int | None:
    """The revision of ``If-Match`` (RFC 9110 section 13.1.1); None when any will do."""
    given = request.headers.get("If-Match", "*").strip()
    if given == "*":
        return None
    if not re.fullmatch(r'"\d{1,9}"', given, re.ASCII):
        raise InvalidRequest('If-Match is one ETag such as "3", in quotes, or *', "If-Match")
    return int(given.strip('"'))


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,64}", key):
        text = "Idempotency-Key is 1 to 64 printable characters"
        raise InvalidRequest(text, "Idempotency-Key")
    return key


def _answer(file: dict[str, object]) -> Response:
    response = jsonify(file)
    response.headers["ETag"] = f'"{file["revision"]}"'
    return response
