"""No token that is not ours opens anything: 401 before the upgrade, 401 on every route."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.raw_client import RawSocket

FLAWS = [
    "expired",
    "not_yet_valid",
    "foreign_key",
    "unknown_kid",
    "wrong_audience",
    "wrong_issuer",
    "alg_none",
    "hs256_with_public_key",
    "es256",
    "id_token",
    "no_exp",
    "tampered",
    "embedded_jwk",
    "jku",
    "kid_path_traversal",
]


def refusal(url, headers):
    with pytest.raises(InvalidStatus) as caught:
        with connect(url.replace("http", "ws", 1) + "/ws", additional_headers=headers):
            pass
    return caught.value.response


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_bad_token_opens_no_socket_and_no_route(stack, flaw):
    headers = {"Authorization": f"Bearer {stack.bad_token(flaw)}"}
    assert refusal(stack.url, headers).status_code == 401
    for method, path in [
        ("GET", "/files"),
        ("GET", "/me"),
        ("POST", "/files/upload"),
        ("POST", "/ws/ticket"),
        ("GET", "/files/00000000-0000-5000-8000-000000000000"),
        ("GET", "/uploads/00000000-0000-5000-8000-000000000000"),
    ]:
        answer = httpx.request(method, stack.url + path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b", "Bearer " + "x" * 9000]
)
def test_what_is_no_token_at_all_is_refused_alike(stack, value):
    headers = {"Authorization": value} if value else {}
    assert refusal(stack.url, headers).status_code in (401, 431)
    assert httpx.get(f"{stack.url}/me", headers=headers).status_code in (401, 431)


def test_a_ticket_opens_one_socket(stack):
    headers = {"Authorization": f"Bearer {stack.token('ada')}"}
    ticket = httpx.post(f"{stack.url}/ws/ticket", headers=headers).json()["ticket"]
    address = f"{stack.url.replace('http', 'ws', 1)}/ws?ticket={ticket}"
    with connect(address, origin=stack.url) as socket:
        socket.send('{"action":"ping"}')
        assert '"pong"' in socket.recv(timeout=30)
    with pytest.raises(InvalidStatus) as caught, connect(address, origin=stack.url):
        pass
    assert caught.value.response.status_code == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "{url}.evil.example"])
def test_a_foreign_origin_is_refused_before_the_upgrade(stack, origin):
    headers = {
        "Authorization": f"Bearer {stack.token('ada')}",
        "Origin": origin.format(url=stack.url),
    }
    assert refusal(stack.url, headers).status_code == 403


def test_a_good_token_opens_a_socket(stack):
    with RawSocket(stack.url, stack.token("ada")) as socket:
        socket.say({"action": "ping", "messageId": "p-1"})
        assert socket.hear("pong")["messageId"] == "p-1"
