"""The API's document is valid, and says what the routes are: no more, no less."""

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from hoist.config import Settings
from hoist.gateway.http import create_app
from hoist.wiring import Services

DESCRIBED = ("/files", "/uploads", "/shares", "/archives", "/public", "/s", "/me", "/ws/ticket")
FOR_ANYBODY = ("/public/{fileId}", "/s/{shareId}")
SETTINGS = Settings(
    kafka_bootstrap="127.0.0.1:1",
    redis_url="redis://127.0.0.1:1/0",
    bucket="files",
    store="dynamodb://files",
    bucket_events_queue="events",
    issuer="http://127.0.0.1:1/",
    audience="https://api.test",
    cursor_secret="secret",
)


@pytest.fixture(scope="module")
def app():
    return create_app(Services(SETTINGS))


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/openapi.json").json


def routes(app):
    """(path, method) of every route, as a document writes them."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", lambda name: "{" + camel(name[1]) + "}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def operations(document):
    return {
        (path, method.upper()): operation
        for path, of_path in document["paths"].items()
        for method, operation in of_path.items()
    }


def is_described(path):
    return any(path == start or path.startswith(start + "/") for start in DESCRIBED)


def test_the_document_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_route_for_clients_is_described_with_its_methods(app, document):
    ours = {route for route in routes(app) if is_described(route[0])}
    assert ours
    assert ours - operations(document).keys() == set()


def test_nothing_is_described_that_no_route_answers(app, document):
    assert operations(document).keys() - routes(app) == set()


def test_every_operation_needs_a_token_and_says_what_a_refusal_looks_like(document):
    assert document["security"] == [{"token": []}]
    for name, operation in operations(document).items():
        assert operation.get("security") == ([] if name[0] in FOR_ANYBODY else None), name
        refusals = {s: r for s, r in operation["responses"].items() if int(s) >= 400}
        assert ("401" in refusals) is (name[0] not in FOR_ANYBODY), name
        for status, answer in refusals.items():
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, (name, status)


def test_every_described_operation_refuses_a_caller_without_a_token(app, document):
    client = app.test_client()
    for path, method in operations(document):
        if path in FOR_ANYBODY:
            continue
        answer = client.open(re.sub("{.*?}", "some-id", path), method=method)
        assert answer.status_code == 401, (method, path)
        assert answer.content_type == "application/problem+json"


def test_a_path_names_each_of_its_parameters(document):
    for (path, _), operation in operations(document).items():
        said = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert said == set(re.findall(r"{(\w+)}", path)), path


def test_the_page_to_read_it_loads_its_assets(app):
    client = app.test_client()
    page = client.get("/docs").get_data(as_text=True)
    assets = re.findall(r'(?:href|src)="(/docs/[^"]+)"', page)
    assert len(assets) == 2
    for asset in assets:
        with client.get(asset) as answer:
            assert answer.status_code == 200, asset
    assert client.get("/docs/index.html").status_code == 404
