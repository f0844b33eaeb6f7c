"""What the bare servers do. gunicorn calls these in its worker, after monkey-patching."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import jwt
from botocore.config import Config
from flask import Flask, Response, jsonify, request
from flask_sock import Sock

FILES = 50  # a page of GET /files


def echo() -> Flask:
    """A socket that sends back what it gets; whoever connects shows a token, which is verified."""
    app, key = Flask("echo"), _issuer_key()
    sock = Sock(app)

    @app.before_request
    def check() -> Response | None:
        return None if _claims(key) else Response(status=401)

    @sock.route("/ws")  # type: ignore[untyped-decorator]
    def ws(socket: Any) -> None:
        while True:
            socket.send(socket.receive())

    return app


def presign() -> Flask:
    """A socket that answers each upload frame with a presigned URL for each file, from memory."""
    app = Flask("presign")
    sock, s3, bucket = Sock(app), _s3(), os.environ["HOIST_BUCKET"]

    def url(key: str, size: int) -> str:
        params = {"Bucket": bucket, "Key": key, "ContentLength": size}
        return str(s3.generate_presigned_url("put_object", params, 900))

    @sock.route("/ws")  # type: ignore[untyped-decorator]
    def ws(socket: Any) -> None:
        while True:
            frame = json.loads(socket.receive())
            for wanted in frame.get("files") or [frame]:
                name = wanted["messageId"]
                signed = url(f"files/{name}", wanted["file"]["size"])
                socket.send(json.dumps({"event": "upload.ready", "messageId": name, "url": signed}))

    return app


def files() -> Flask:
    """A list of 50 files from memory, for whoever shows a token, with a link to each."""
    app, key = Flask("files"), _issuer_key()
    s3, bucket = _s3(), os.environ["HOIST_BUCKET"]
    page = [
        {"fileId": f"{n:032x}", "name": f"file {n}.bin", "size": n, "status": "stored"}
        for n in range(FILES)
    ]

    @app.get("/files")
    def list_files() -> Response:
        if not _claims(key):
            return Response(status=401)
        return jsonify({"files": [file | {"downloadUrl": link(file)} for file in page]})

    def link(file: dict[str, Any]) -> str:
        params = {"Bucket": bucket, "Key": f"files/{file['fileId']}"}
        return str(s3.generate_presigned_url("get_object", params, 900))

    return app


def _claims(key: Any) -> dict[str, Any]:
    """Empty when there is no token; a wrong one raises."""
    _scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not token:
        return {}
    issuer, audience = os.environ["HOIST_ISSUER"], os.environ["HOIST_AUDIENCE"]
    return dict(jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=issuer))


def _issuer_key() -> Any:
    """Fetched once."""
    client = jwt.PyJWKClient(f"{os.environ['HOIST_ISSUER']}.well-known/jwks.json")
    return client.get_signing_keys()[0].key


def _s3() -> Any:
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    return boto3.client("s3", config=config)
