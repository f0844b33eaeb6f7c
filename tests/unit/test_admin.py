"""The admin API: for admins, in the words of its document, and never a 500."""

import base64
import json
import logging
import re
from types import SimpleNamespace

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from hoist.admin.http import create_app
from hoist.domain.errors import Unauthorized
from hoist.domain.model import Principal
from tests.unit.desk import GROUP, TOPIC, Desk

ROOT = Principal("auth0|root", "premium", ("admin", "premium"), 4_000_000_000)
GRACE = Principal("grace", "premium", ("premium",), 4_000_000_000)
OPERATIONS = [
    ("GET", "/admin/dlq"),
    ("GET", "/admin/dlq/{letterId}"),
    ("PUT", "/admin/dlq/{letterId}/payload"),
    ("POST", "/admin/dlq/replay"),
    ("DELETE", "/admin/dlq/{letterId}"),
]


class Verifier:
    """A token is a name."""

    def verify(self, token):
        known = {"root": ROOT, "grace": GRACE}
        if token not in known:
            raise Unauthorized("not a token of ours")
        return known[token]


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def app(desk):
    services = SimpleNamespace(
        dead_letters=desk.letters,
        replay=desk.replay,
        clock=desk.clock,
        verifier=Verifier(),
        settings=SimpleNamespace(origins=""),
        ready=lambda: {"log": "ok"},
    )
    return create_app(services)


@pytest.fixture
def root(app):
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer root"
    return client


def test_letters_come_page_by_page_and_by_filter(desk, root):
    ids = [desk.asks_in_vain(f"m-{number}") for number in range(5)]
    first = root.get("/admin/dlq?limit=2").json
    second = root.get(f"/admin/dlq?limit=2&after={first['next']}").json
    third = root.get(f"/admin/dlq?limit=2&after={second['next']}").json
    pages = [[letter["id"] for letter in page["letters"]] for page in (first, second, third)]
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert third["next"] is None
    assert root.get("/admin/dlq?user=grace").json["letters"] == []
    assert root.get("/admin/dlq?error=VERSION&groups=archives,upload-basic&state=all").json[
        "letters"
    ]
    assert root.get("/admin/dlq?to=2020-01-01T00:00:00Z").json["letters"] == []


@pytest.mark.parametrize(
    "query",
    [
        "groups=nobody",
        "groups=",
        "groups=archives&groups=archives",
        "state=lost",
        "from=yesterday",
        "from=2026-01-01T00:00:00",
        "limit=0",
        "limit=501",
        "limit=x",
        "after=nothing",
        "after=archives:1&groups=upload-basic",
        "nope=1",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(root, query):
    answer = root.get(f"/admin/dlq?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_time_are_times(desk, root, time):
    desk.asks_in_vain()
    assert root.get(f"/admin/dlq?from={time}").status_code == 200


def test_a_letter_is_shown_mended_and_replayed(desk, root, caplog):
    caplog.set_level(logging.INFO)
    letter_id = desk.asks_in_vain()
    shown = root.get(f"/admin/dlq/{letter_id}").json
    assert shown["payload"]["version"] == 2
    payload = base64.b64decode(shown["payloadBase64"]).replace(b'"version": 2', b'"version": 1')
    edited = root.put(f"/admin/dlq/{letter_id}/payload", data=payload)
    assert edited.status_code == 200
    assert (edited.json["isEdited"], "unreadable" in edited.json) == (True, False)
    tried = root.post("/admin/dlq/replay", json={"filter": {}, "dryRun": True}).json
    assert [one["result"] for one in tried["outcomes"]] == ["would_replay"]
    done = root.post("/admin/dlq/replay", json={"ids": [letter_id, letter_id]}).json
    to = {"topic": TOPIC, "partition": 0, "offset": 1}
    assert done["outcomes"] == [{"id": letter_id, "result": "replayed", "to": to}]
    assert desk.log.of(TOPIC)[1].value == payload
    told = [(one.message, one.by) for one in caplog.records if hasattr(one, "by")]
    assert ("dead letter edited", "auth0|root") in told
    assert ("dead letter replayed", "auth0|root") in told
    assert told.count(("admin request", "auth0|root")) == 4
    decisions = root.get(f"/admin/dlq/{letter_id}").json["decisions"]
    assert [one["action"] for one in decisions] == ["edited", "claimed", "replayed"]
    assert {one["by"] for one in decisions} == {"auth0|root"}


def test_a_long_replay_goes_on_where_the_answer_before_ended(desk, root):
    ids = [desk.asks_in_vain(f"m-{number}") for number in range(3)]
    for letter_id in ids[:2]:
        desk.mend(letter_id)
    first = root.post("/admin/dlq/replay", json={"filter": {}, "limit": 2}).json
    more = {"filter": {}, "limit": 2, "after": first["next"]}
    second = root.post("/admin/dlq/replay", json=more).json
    assert [one["result"] for one in first["outcomes"]] == ["replayed"] * 2
    assert [one["result"] for one in second["outcomes"]] == ["refused"]
    assert second["next"] is None


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ids": ["upload-basic:0"], "filter": {}},
        {"ids": []},
        {"filter": {"state": "lost"}},
        {"filter": {}, "perSecond": 0},
        {"filter": {}, "perSecond": "inf"},
        {"filter": {}, "perSecond": "nan"},
        {"filter": {}, "perSecond": 0.5, "limit": 100},
        {"filter": {}, "force": "yes"},
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(root, asked):
    answer = root.post("/admin/dlq/replay", json=asked)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_a_letter_is_dropped_with_a_reason_and_only_while_it_is_open(desk, root):
    letter_id = desk.asks_in_vain()
    assert root.delete(f"/admin/dlq/{letter_id}").json["field"] == "reason"
    dropped = root.delete(f"/admin/dlq/{letter_id}?reason=noise")
    assert (dropped.status_code, dropped.json["state"]) == (200, "dropped")
    late = root.put(f"/admin/dlq/{letter_id}/payload", data=b"{}")
    assert (late.status_code, late.json["code"], late.json["state"]) == (
        409,
        "letter_decided",
        "dropped",
    )


def test_an_edit_that_cannot_be_read_is_refused_with_the_reason(desk, root):
    letter_id = desk.asks_in_vain()
    answer = root.put(f"/admin/dlq/{letter_id}/payload", data=b"\xff")
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert "UTF-8" in answer.json["detail"]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize(("token", "status"), [("grace", 403), ("nobody", 401), ("", 401)])
def test_only_admins_come_in(app, method, path, token, status):
    headers = {"Authorization": f"Bearer {token}"}
    url = path.format(letterId=f"{GROUP}:0")
    assert app.test_client().open(url, method=method, headers=headers).status_code == status


def test_a_letter_that_is_not_there_is_not_found(root):
    for letter_id in ("upload-basic:9", "nobody:1", "%00", "x" * 300):
        assert root.get(f"/admin/dlq/{letter_id}").status_code == 404


def test_its_document_is_valid_and_says_what_the_routes_are(app, root):
    document = root.get("/openapi.json").json
    validate(document, cls=OpenAPIV31SpecValidator)
    described = {(m.upper(), path) for path, of in document["paths"].items() for m in of}
    assert described == set(OPERATIONS)
    routes = {
        (method, re.sub("<letter_id>", "{letterId}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/admin")
    }
    assert described == routes
    assert json.dumps(document)
    assert root.get("/docs").status_code == 200


def test_anybody_may_ask_whether_it_lives(app):
    client = app.test_client()
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
