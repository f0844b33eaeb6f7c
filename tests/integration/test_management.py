"""``/@connections`` as API Gateway's management API: AWS's own client may ask any gateway."""

import json
import time
from datetime import UTC, datetime
from urllib.parse import quote

import boto3
import httpx
import pytest
import redis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed

from tests.e2e.raw_client import PATIENCE_SECONDS, RawSocket, rest

HELD_BY, OTHER = 0, 1  # gateway-a holds every socket here
EVERYWHERE = pytest.mark.parametrize("asked", [HELD_BY, OTHER], ids=["where it is", "elsewhere"])
DATA_BYTES_MAX = 128 * 1024


@pytest.fixture
def apis(stack):
    """The management client of each gateway, as a backend of ours would build it."""
    made = [api(stack, url) for url in stack.urls]
    yield made
    for one in made:
        one.close()


def api(stack, url, secret=None):
    return boto3.Session().client(
        "apigatewaymanagementapi",
        endpoint_url=url,
        region_name=stack.settings["AWS_REGION"],
        aws_access_key_id=stack.settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or stack.settings["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def held(stack):
    """A socket of somebody new at gateway-a, and its connection id."""
    token = stack.new_user()
    with RawSocket(stack.urls[HELD_BY], token) as socket:
        socket.say({"action": "ping"})
        socket.hear("pong")  # registered by now
        yield socket, connection_id(stack, token)


def connection_id(stack, token):
    """Of the only socket of *token*'s user, as the registry knows it."""
    user = httpx.get(f"{stack.url}/me", headers=rest(token)).json()["userId"]
    with redis.Redis.from_url(stack.settings["HOIST_REDIS_URL"]) as registry:
        (name,) = registry.hkeys(f"hoist:{{{user}}}:connections")
    return name.decode()


def code_of(caught):
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def signed(stack, method, url, body=b"", secret=None, service="execute-api"):
    """Headers of a request signed by hand."""
    request = AWSRequest(method, url, data=body)
    key_id = stack.settings["AWS_ACCESS_KEY_ID"]
    credentials = Credentials(key_id, secret or stack.settings["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, service, stack.settings["AWS_REGION"]).add_auth(request)
    return dict(request.headers)


def address(url, connection_id):
    return f"{url}/@connections/{quote(connection_id, safe='')}"


@EVERYWHERE
def test_a_post_reaches_the_socket_byte_for_byte(apis, held, asked):
    socket, name = held
    for text in ('{"event": "hello", "to": "ä€😀"}', "{" + " " * (DATA_BYTES_MAX - 2) + "}"):
        apis[asked].post_to_connection(ConnectionId=name, Data=text.encode())
        assert socket.socket.recv(timeout=PATIENCE_SECONDS) == text


@EVERYWHERE
def test_posts_arrive_in_the_order_they_were_made(apis, held, asked):
    socket, name = held
    for number in range(50):
        apis[asked].post_to_connection(ConnectionId=name, Data=json.dumps({"n": number}).encode())
    heard = [json.loads(socket.socket.recv(timeout=PATIENCE_SECONDS))["n"] for _ in range(50)]
    assert heard == list(range(50))


@EVERYWHERE
def test_get_shows_who_is_connected_and_since_when(apis, held, asked):
    before = datetime.now(UTC)
    _, name = held
    told = apis[asked].get_connection(ConnectionId=name)

    assert told["Identity"]["SourceIp"] == "127.0.0.1"
    assert "websockets" in told["Identity"]["UserAgent"]
    assert told["ConnectedAt"] <= told["LastActiveAt"]
    assert (told["ConnectedAt"] - before).total_seconds() < PATIENCE_SECONDS


def test_every_gateway_gives_the_same_answer_in_the_form_aws_gives_it(stack, held):
    _, name = held
    answers = []
    for url in stack.urls:
        where = address(url, name)
        answer = httpx.get(where, headers=signed(stack, "GET", where)).raise_for_status().json()
        answers.append(answer)
        assert answer.keys() == {"connectedAt", "identity", "lastActiveAt"}
        assert answer["identity"].keys() == {"sourceIp", "userAgent"}
        for name_of_time in ("connectedAt", "lastActiveAt"):
            datetime.strptime(answer[name_of_time], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert answers[0] == answers[1]


def test_a_frame_of_the_client_is_activity(apis, held):
    socket, name = held
    before = apis[HELD_BY].get_connection(ConnectionId=name)
    socket.say({"action": "ping"})
    socket.hear("pong")
    after = apis[HELD_BY].get_connection(ConnectionId=name)
    assert after["LastActiveAt"] > before["LastActiveAt"]
    assert after["ConnectedAt"] == before["ConnectedAt"]


@EVERYWHERE
def test_delete_closes_the_socket_normally_and_then_it_is_gone(apis, held, asked):
    socket, name = held
    answer = apis[asked].delete_connection(ConnectionId=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(ConnectionClosed) as closed:
        socket.socket.recv(timeout=PATIENCE_SECONDS)
    assert closed.value.rcvd.code == 1000
    for gateway in apis:
        until_gone(gateway, name)
        for call in calls(gateway, name):
            with pytest.raises(gateway.exceptions.GoneException) as caught:
                call()
            assert code_of(caught) == (410, "GoneException")


def until_gone(gateway, name):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            gateway.get_connection(ConnectionId=name)
        except gateway.exceptions.GoneException:
            return
    raise TimeoutError(f"{name} is still there after {PATIENCE_SECONDS} s")


def calls(gateway, name):
    return (
        lambda: gateway.post_to_connection(ConnectionId=name, Data=b"{}"),
        lambda: gateway.get_connection(ConnectionId=name),
        lambda: gateway.delete_connection(ConnectionId=name),
    )


@EVERYWHERE
def test_a_socket_whose_client_left_is_gone(stack, apis, asked):
    token = stack.new_user()
    with RawSocket(stack.urls[HELD_BY], token) as socket:
        socket.say({"action": "ping"})
        socket.hear("pong")
        name = connection_id(stack, token)
    until_gone(apis[asked], name)


@EVERYWHERE
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("R1kmZ0abcdefghi=", (410, "GoneException")),
        ("x", (400, "BadRequestException")),
        ("a" * 65, (400, "BadRequestException")),
        ("R1kmZ0ab cdefghi=", (400, "BadRequestException")),
        ("R1kmZ0ab/cdefghi=", (400, "BadRequestException")),
        ("R1kmZ0ab=cdefghi", (400, "BadRequestException")),
        ("../../@connections", (400, "BadRequestException")),
    ],
)
def test_an_id_of_nobody_is_gone_and_what_is_no_id_is_a_bad_request(apis, asked, name, answer):
    for call in calls(apis[asked], name):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == answer


@EVERYWHERE
@pytest.mark.parametrize("size", [DATA_BYTES_MAX + 1, 1024 * 1024])
def test_data_over_128_kib_is_refused_and_nothing_of_it_arrives(apis, held, asked, size):
    socket, name = held
    with pytest.raises(apis[asked].exceptions.PayloadTooLargeException) as caught:
        apis[asked].post_to_connection(ConnectionId=name, Data=b"x" * size)
    assert code_of(caught) == (413, "PayloadTooLargeException")
    apis[asked].post_to_connection(ConnectionId=name, Data=b"next")
    assert socket.socket.recv(timeout=PATIENCE_SECONDS) == "next"


@EVERYWHERE
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_who_does_not_sign_with_the_services_credentials_is_refused(stack, held, asked, method):
    socket, name = held
    url = stack.urls[asked]
    where, elsewhere = address(url, name), address(url, "R1kmZ0abcdefghi=")
    good = signed(stack, method, where)
    attempts = {
        "unsigned": {},
        "a user's token": rest(stack.token("ada")),
        "a wrong secret": signed(stack, method, where, secret="wrong"),
        "another service": signed(stack, method, where, service="s3"),
        "another connection": signed(stack, method, elsewhere),
        "another method": signed(stack, "PUT", where),
        "another body": signed(stack, method, where, b"other"),
        "another key": {
            **good,
            "Authorization": good["Authorization"].replace("Credential=test", "Credential=tess"),
        },
        "another time": {**good, "X-Amz-Date": good["X-Amz-Date"].replace("T", "U")},
        "an old signature": {**good, "X-Amz-Date": "20200101T000000Z"},
        "no date": {"Authorization": good["Authorization"]},
    }
    for what, headers in attempts.items():
        answer = httpx.request(method, where, headers=headers)
        assert answer.status_code == 403, what
        assert answer.json()["code"] == "forbidden"
    socket.say({"action": "ping"})
    socket.hear("pong")  # nothing was pushed, and it is still open
    assert socket.heard == []


@EVERYWHERE
def test_a_wrong_secret_in_the_aws_client_is_forbidden(stack, held, asked):
    _, name = held
    gateway = api(stack, stack.urls[asked], secret="wrong")
    for call in calls(gateway, name):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught)[0] == 403
    gateway.close()


def test_who_may_not_manage_learns_nothing_about_which_ids_exist(stack, held):
    _, name = held
    answers = {
        httpx.get(address(stack.url, one)).text.replace(one, "")
        for one in (name, "R1kmZ0abcdefghi=", "x")
    }
    said = {json.loads(answer)["detail"] for answer in answers}
    assert len(said) == 1


@EVERYWHERE
def test_the_equals_sign_of_an_id_may_be_escaped_or_not(stack, held, asked):
    socket, name = held
    assert name.endswith("=")
    for text, written in (("escaped", quote(name, safe="")), ("plain", name)):
        where = f"{stack.urls[asked]}/@connections/{written}"
        body = text.encode()
        headers = signed(stack, "POST", where, body)
        answer = httpx.post(where, content=body, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert socket.socket.recv(timeout=PATIENCE_SECONDS) == text
