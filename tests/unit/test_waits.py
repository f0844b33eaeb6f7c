"""How long, and how many, REST requests wait in the gateway."""

from types import SimpleNamespace

import pytest
from flask import Flask, g

from hoist.gateway import uploads
from hoist.gateway.sessions import WAITING_MAX, WAITING_OF_ONE_MAX, Sessions

ANSWER_SECONDS_MAX = 8
STORE_SECONDS_MAX = 6  # two tries of 3 s


class Joins:
    """Parts that nobody joins for now."""

    def __init__(self):
        self.waits = []

    def run(self, user_id, file_id, wait_seconds):
        self.waits.append(wait_seconds)
        return False


@pytest.fixture
def joins():
    return Joins()


@pytest.fixture
def client(joins):
    app = Flask("waits")
    app.before_request(lambda: setattr(g, "trace_id", "1" * 32))
    files = SimpleNamespace(upload=lambda user_id, file_id, trace_id: {"state": "uploading"})
    services = SimpleNamespace(files=files)
    uploads.install(app, services, Sessions(), lambda: SimpleNamespace(user_id="ada"), joins)
    return app.test_client()


def test_who_waits_for_a_join_is_answered_in_time_also_when_the_store_hangs_then(client, joins):
    assert client.post("/uploads/f-1/complete").status_code == 202
    [waited] = joins.waits
    assert 0 < waited <= ANSWER_SECONDS_MAX - STORE_SECONDS_MAX


def test_one_user_takes_only_some_of_the_places_for_who_waits():
    sessions = Sessions()
    for number in range(WAITING_OF_ONE_MAX):
        assert sessions.expect(f"ada-{number}", "ada")
    assert not sessions.expect("ada-more", "ada")
    assert sessions.expect("grace-1", "grace")
    sessions.forget("ada-0")
    assert sessions.expect("ada-more", "ada")
    assert not sessions.expect("ada-again", "ada")


def test_all_who_wait_have_a_bound():
    sessions = Sessions()
    for number in range(WAITING_MAX):
        assert sessions.expect(f"rest-{number}", f"user-{number}")
    assert not sessions.expect("rest-more", "ada")
    sessions.forget("rest-0")
    assert sessions.expect("rest-more", "ada")


def test_who_waits_hears_the_first_event_of_its_own_request():
    sessions = Sessions()
    assert sessions.expect("rest-1", "ada")
    for event in ("upload.ready", "upload.stored"):
        body = {"event": event}
        sessions.deliver({"connectionId": "rest-1", "userId": "ada", "body": body})
    assert sessions.wait_for("rest-1", 0) == {"event": "upload.ready"}


def told(name, **members):
    body = {"event": name, "fileId": "f-1", **members}
    return {"connectionId": "rest-1", "userId": "ada", "body": body}


def test_that_it_takes_longer_is_no_answer_to_who_waits():
    sessions = Sessions()
    assert sessions.expect("rest-1", "ada")
    sessions.deliver(told("upload.delayed"))
    assert sessions.wait_for("rest-1", 0) is None
    sessions.deliver(told("upload.ready"))
    assert sessions.wait_for("rest-1", 0)["event"] == "upload.ready"


@pytest.mark.parametrize(
    ("event", "state", "status"),
    [
        ("upload.ready", "ready", 201),
        ("upload.stored", "stored", 201),
        ("upload.expired", "expired", 200),
        ("upload.cancelled", "cancelled", 200),
    ],
)
def test_an_answer_says_what_the_event_says(client, event, state, status):
    with client.application.test_request_context():
        response, code, _ = uploads._answer("m-1", "f-1", told(event)["body"], 5)
    assert (response.get_json()["state"], code) == (state, status)
