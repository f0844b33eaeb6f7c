"""The mock issuer's token endpoint, userinfo and published documents."""

import json
import logging

import jwt
import pytest

from emulation.oidc.app import create_app
from emulation.oidc.keys import KeyRing
from emulation.oidc.registry import ROLES_CLAIM

SERVICE = {"client_id": "hoist-service", "client_secret": "hoist-service-secret"}


@pytest.fixture(scope="module")
def keys():
    return KeyRing()


@pytest.fixture
def clock():
    return lambda: 1_800_000_000.0


@pytest.fixture
def issuer(keys, clock):
    return create_app("http://issuer", clock, keys=keys).test_client()


def ask(issuer, **form):
    return issuer.post("/oauth/token", data={"client_id": "hoist-cli"} | form)


def password(issuer, user_name="ada", **form):
    credentials = {"username": user_name, "password": user_name} | form
    return ask(issuer, grant_type="password", **credentials)


def refresh(issuer, token, **form):
    return ask(issuer, grant_type="refresh_token", refresh_token=token, **form)


def claims_of(answer):
    return jwt.decode(answer.json["access_token"], options={"verify_signature": False})


@pytest.mark.parametrize(
    ("user_name", "roles"),
    [("ada", ["basic"]), ("grace", ["premium"]), ("root", ["admin", "premium"])],
)
def test_each_demo_user_has_a_stable_id_and_roles(issuer, user_name, roles):
    claims = claims_of(password(issuer, user_name))

    assert (claims["sub"], claims[ROLES_CLAIM]) == (f"auth0|{user_name}", roles)
    assert claims["iss"] == "http://issuer/"


def test_a_wrong_password_is_an_invalid_grant(issuer):
    answer = password(issuer, password="grace")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


def test_a_refresh_token_works_once_and_its_second_use_ends_the_family(issuer):
    first = password(issuer, scope="openid offline_access").json["refresh_token"]
    second = refresh(issuer, first).json["refresh_token"]

    assert refresh(issuer, first).json["error"] == "invalid_grant"
    assert refresh(issuer, second).json["error"] == "invalid_grant"


def test_a_revoked_refresh_token_is_refused(issuer):
    token = password(issuer, scope="offline_access").json["refresh_token"]
    form = {"client_id": "hoist-cli", "token": token}

    assert issuer.post("/oauth/revoke", data=form | {"client_id": "hoist-web"}).status_code == 200
    token = refresh(issuer, token).json["refresh_token"]
    assert issuer.post("/oauth/revoke", data=form | {"token": token}).status_code == 200
    assert refresh(issuer, token).json["error"] == "invalid_grant"


def test_a_refresh_may_narrow_the_scope_but_never_widen_it(issuer):
    token = password(issuer, scope="openid offline_access").json["refresh_token"]
    answer = refresh(issuer, token, scope="openid email").json

    assert answer["scope"] == "openid"


def test_a_service_proves_itself_by_its_secret_in_the_form_or_the_header(issuer):
    form = {"grant_type": "client_credentials"}
    credentials = tuple(SERVICE.values())
    by_header = issuer.post("/oauth/token", data=form, auth=credentials)
    by_json = issuer.post("/oauth/token", json=form | SERVICE)

    for answer in (ask(issuer, **form, **SERVICE), by_header, by_json):
        assert claims_of(answer)["sub"] == "hoist-service@clients"
        assert ROLES_CLAIM not in claims_of(answer)


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 400, "unauthorized_client"),
        ({"grant_type": "password", "client_id": "nobody"}, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", **SERVICE, "client_secret": "x"},
            401,
            "invalid_client",
        ),
        (
            {"grant_type": "client_credentials", **SERVICE, "audience": "x"},
            403,
            "access_denied",
        ),
    ],
)
def test_a_refusal_is_json_with_the_code_of_the_standard(issuer, form, status, error):
    answer = ask(issuer, **form)

    assert (answer.status_code, answer.json["error"]) == (status, error)


def test_userinfo_shows_what_the_scopes_allow(issuer):
    def profile(scope):
        token = password(issuer, scope=scope).json["access_token"]
        return issuer.get("/userinfo", headers={"Authorization": f"Bearer {token}"})

    assert profile("openid profile email").json["name"] == "Ada Lovelace"
    assert "name" not in profile("openid").json
    assert profile("email").status_code == 401


def test_every_published_address_is_one_the_issuer_answers(issuer):
    document = issuer.get("/.well-known/openid-configuration").json
    addresses = [value for key, value in document.items() if key.endswith(("_endpoint", "_uri"))]

    assert document["issuer"] == "http://issuer/"
    for address in addresses:
        assert issuer.get(address.removeprefix("http://issuer")).status_code != 404


def test_the_index_names_every_demo_login(issuer):
    page = issuer.get("/").text

    assert all(name in page for name in ("ada", "grace", "root", "hoist-cli"))


def test_only_pages_of_this_machine_may_call_from_a_browser(issuer):
    def allowed(path, origin):
        answer = issuer.options(path, headers={"Origin": origin})
        return answer.headers.get("Access-Control-Allow-Origin")

    assert allowed("/oauth/token", "http://localhost:8000") == "http://localhost:8000"
    assert allowed("/oauth/token", "https://elsewhere.example") is None
    assert allowed("/_control/mint", "http://localhost:8000") is None


def test_the_log_has_a_line_for_each_request_and_no_secret(issuer, caplog):
    caplog.set_level(logging.INFO, logger="emulation.oidc")
    password(issuer, password="hunter2")
    issuer.get("/authorize?client_id=hoist-cli&state=secret-state")
    issuer.get("/not-a-route/secret-path")

    ours = [record for record in caplog.records if record.name == "emulation.oidc"]
    lines = [json.loads(record.message) for record in ours]
    assert [line["path"] for line in lines] == ["/oauth/token", "/authorize", "(unknown)"]
    assert not any(word in caplog.text for word in ("hunter2", "secret-state", "secret-path"))
