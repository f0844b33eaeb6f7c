"""Calls sent as they are answer, fail and are tried again as the client's own would."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from hoist.adapters import aws, aws_json
from hoist.adapters.aws_json import JsonCalls

BUSY = (500, b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"later"}')
LOST = None  # the request was read, and its answer never comes
FINE = (200, b'{"Items":[]}')


@contextmanager
def service(answers: list) -> Iterator[tuple[str, list]]:
    """Gives *answers* one after another; tells its address and what it was asked."""
    asked: list = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.headers, body))
            answer = answers.pop(0)
            if answer is LOST:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *arguments: object) -> None:
            """Nothing to tell."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def as_somebody(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-role's")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # one that was made before keeps its own
    monkeypatch.setattr(aws_json.random, "uniform", lambda *_: 0)


def test_a_call_is_what_the_client_itself_would_send():
    question = {"TableName": "files", "KeyConditionExpression": "é"}
    with service([FINE, FINE]) as (url, asked):
        client = aws.client("dynamodb", url)
        assert JsonCalls(client)("Query", **question) == {"Items": []}
        client.query(**question)
    (ours, body), (theirs, same) = asked
    assert body == same
    for name in ("X-Amz-Target", "Content-Type", "X-Amz-Security-Token", "Host"):
        assert ours[name] == theirs[name]
    signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
    assert signed in ours["Authorization"]
    assert (
        ours["Authorization"]
        .partition("Signature=")[0]
        .startswith(theirs["Authorization"].partition("SignedHeaders=")[0])
    )


@pytest.mark.parametrize("service_name", ["dynamodb", "sqs"])
@pytest.mark.parametrize("token", ["", "a-role's"], ids=["a user's keys", "a role's"])
def test_it_is_signed_as_botocore_would(service_name, token, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    with service([FINE]) as (url, asked):
        url += "/under/a+b"
        JsonCalls(aws.client(service_name, url))("Query", TableName="é")
    ((sent, body),) = asked
    named = sent["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("POST", url + "/", {name: sent[name] for name in named})
    request.data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    request.context["timestamp"] = sent["X-Amz-Date"]
    auth = SigV4Auth(aws.own_credentials().get_frozen_credentials(), service_name, "eu-west-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert sent["Authorization"].endswith(f"Signature={auth.signature(text, request)}")


@pytest.mark.parametrize("first", [BUSY, LOST], ids=["refused", "lost"])
def test_a_second_attempt_is_no_second_transaction(first):
    with service([first, (200, b"{}")]) as (url, asked):
        JsonCalls(aws.client("dynamodb", url))("TransactWriteItems", TransactItems=[])
    assert len(asked) == 2
    tokens = {body["ClientRequestToken"] for _, body in asked}
    assert len(tokens) == 1
    assert len(tokens.pop()) == 36


def test_it_gives_up_when_the_client_would():
    with service([BUSY, BUSY, FINE]) as (url, asked):
        with pytest.raises(ClientError) as told:
            JsonCalls(aws.client("dynamodb", url))("Query")
    assert len(asked) == 2
    assert told.value.response["Error"] == {"Code": "InternalServerError", "Message": "later"}
    assert told.value.operation_name == "Query"


def test_a_refusal_has_all_that_was_said_and_is_not_tried_again():
    reasons = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
    refusal = {
        "__type": "x#TransactionCanceledException",
        "Message": "no",
        "CancellationReasons": reasons,
    }
    with service([(400, json.dumps(refusal).encode())]) as (url, asked):
        with pytest.raises(ClientError) as told:
            JsonCalls(aws.client("dynamodb", url))("TransactWriteItems", TransactItems=[])
    assert len(asked) == 1
    assert told.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert told.value.response["CancellationReasons"] == reasons


@pytest.mark.parametrize("body", [b"<html>bad gateway</html>", b"[1]", b""])
def test_what_somebody_in_between_says_is_a_failure_of_the_service(body):
    with service([(502, body), (502, body)]) as (url, _):
        with pytest.raises(ClientError) as told:
            JsonCalls(aws.client("dynamodb", url))("Query")
    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


def test_nobody_there_is_botocores_own_error():
    with pytest.raises(BotoCoreError):
        JsonCalls(aws.client("dynamodb", "http://127.0.0.1:1"))("Query")


def test_credentials_are_looked_for_again_while_there_are_none(monkeypatch):
    with service([FINE]) as (url, _):
        call = JsonCalls(aws.client("dynamodb", url))
        monkeypatch.setattr(aws_json, "own_credentials", lambda: None)
        with pytest.raises(NoCredentialsError):
            call("Query")
        monkeypatch.setattr(aws_json, "own_credentials", aws.own_credentials)
        assert call("Query") == {"Items": []}
