"""The mock issuer's browser login: PKCE, codes, redirects."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from emulation.oidc.app import create_app
from emulation.oidc.keys import KeyRing
from emulation.oidc.registry import AUDIENCE, CLIENTS, ROLES_CLAIM, uri_allowed

ISSUER = "http://127.0.0.1:4503/"
CALLBACK = "http://127.0.0.1:51234/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
REQUEST = {
    "client_id": "hoist-cli",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "s1",
    "nonce": "n1",
    "audience": AUDIENCE,
    "scope": "openid profile email offline_access",
}


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def keys():
    return KeyRing()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def browser(keys, clock):
    return create_app(ISSUER, clock, keys=keys).test_client()


def open_login(browser, **changed):
    answer = browser.get("/authorize", query_string=REQUEST | changed, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return re.search(r'name="state" value="([^"]+)"', answer.text)[1]


def query_of(answer):
    return {key: value[0] for key, value in parse_qs(urlsplit(answer.location).query).items()}


def log_in(browser, **changed):
    answer = browser.post("/login", data={"state": open_login(browser, **changed), "demo": "grace"})
    assert answer.status_code == 303
    return query_of(answer)


def exchange(browser, code, **changed):
    form = {
        "grant_type": "authorization_code",
        "client_id": "hoist-cli",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return browser.post("/oauth/token", data=form | changed)


def read(token, keys, audience):
    options = {"verify_exp": False, "verify_iat": False}
    key = keys.current.private.public_key()
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, options=options)


def test_a_login_gives_tokens_like_those_of_auth0(browser, clock, keys):
    returned = log_in(browser)
    body = exchange(browser, returned["code"]).json
    access = read(body["access_token"], keys, AUDIENCE)
    identity = read(body["id_token"], keys, "hoist-cli")

    assert returned["state"] == "s1"
    assert jwt.get_unverified_header(body["access_token"]) == {
        "alg": "RS256",
        "kid": keys.current.kid,
        "typ": "at+jwt",
    }
    assert access["iss"] == ISSUER
    assert access["aud"] == [AUDIENCE, f"{ISSUER}userinfo"]
    assert access["exp"] - access["iat"] == body["expires_in"] == 3600
    assert (access["sub"], access["azp"]) == ("auth0|grace", "hoist-cli")
    assert access[ROLES_CLAIM] == ["premium"]
    assert "nbf" not in access
    assert (identity["nonce"], identity["name"]) == ("n1", "Grace Hopper")
    assert body["refresh_token"]


def test_without_openid_the_audience_is_text_and_there_is_no_id_token(browser, keys):
    body = exchange(browser, log_in(browser, scope="email")["code"]).json

    assert read(body["access_token"], keys, AUDIENCE)["aud"] == AUDIENCE
    assert body.keys().isdisjoint({"id_token", "refresh_token"})


def test_a_wrong_password_shows_the_page_again_and_never_the_password(browser):
    form = {"state": open_login(browser), "username": "ada", "password": "guess-7"}
    answer = browser.post("/login", data=form)

    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "guess-7" not in answer.text
    assert browser.post("/login", data=form | {"password": "ada"}).status_code == 303


def test_a_login_page_of_another_browser_logs_nobody_in(browser):
    state = open_login(browser)
    stranger = browser.application.test_client()

    assert stranger.post("/login", data={"state": state, "demo": "ada"}).status_code == 400


def test_a_code_lives_for_less_than_a_minute(browser, clock):
    code = log_in(browser)["code"]
    clock.now += 59
    assert exchange(browser, code).status_code == 200

    code = log_in(browser)["code"]
    clock.now += 60
    assert exchange(browser, code).json["error"] == "invalid_grant"


def test_a_second_use_of_a_code_withdraws_what_the_first_obtained(browser):
    code = log_in(browser)["code"]
    refresh = exchange(browser, code).json["refresh_token"]
    assert exchange(browser, code).json["error"] == "invalid_grant"

    form = {"grant_type": "refresh_token", "client_id": "hoist-cli", "refresh_token": refresh}
    assert browser.post("/oauth/token", data=form).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:51235/callback"},
        {"client_id": "hoist-web"},
    ],
)
def test_a_code_is_bound_to_its_verifier_address_and_client(browser, changed):
    answer = exchange(browser, log_in(browser)["code"], **changed)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"audience": "https://elsewhere.example"}, "access_denied"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_wrong_request_is_returned_to_the_client_with_its_state(browser, changed, error):
    parameters = {key: value for key, value in (REQUEST | changed).items() if value}
    answer = browser.get("/authorize", query_string=parameters)

    assert answer.location.startswith(CALLBACK)
    assert (query_of(answer)["error"], query_of(answer)["state"]) == (error, "s1")


@pytest.mark.parametrize(
    "changed", [{"client_id": "nobody"}, {"redirect_uri": "https://elsewhere.example/callback"}]
)
def test_an_unknown_client_or_address_is_never_redirected_to(browser, changed):
    answer = browser.get("/authorize", query_string=REQUEST | changed)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        ("http://127.0.0.1:1/callback", True),
        ("http://localhost:65535/callback", True),
        ("http://127.0.0.1/callback", True),
        ("https://127.0.0.1:1/callback", False),
        ("http://127.0.0.1:1/callback/", False),
        ("http://127.0.0.1:1@elsewhere.example/callback", False),
        ("http://127.0.0.1.elsewhere.example:1/callback", False),
        ("http://127.0.0.1:1/callback\n", False),
    ],
)
def test_any_port_of_this_machine_is_a_callback_and_nothing_else(uri, is_allowed):
    assert uri_allowed(uri, CLIENTS["hoist-cli"].redirect_uris) is is_allowed


def test_logout_returns_only_to_allowed_addresses(browser):
    home = browser.get("/v2/logout", query_string={"returnTo": "http://localhost:8000/"})
    elsewhere = browser.get("/v2/logout", query_string={"returnTo": "https://elsewhere.example/"})

    assert home.location == "http://localhost:8000/"
    assert elsewhere.status_code == 400
